//! The container of all three files: four letters, a version, then sections, each with its number and length. Integers are
//! little-endian.

use chartseal_algebra::error::{Error, Kind, Result};

/// Bytes of a field element, in either field.
pub const ELEMENT: usize = 32;

/// More than snarkjs writes into any of the files.
const MOST_SECTIONS: usize = 16;

/// # Errors
/// What every reader here refuses with: kind `CircuitKey`, `key_malformed`.
pub fn malformed(path: &'static str, detail: &str) -> Error {
    Error::new(Kind::CircuitKey, "key_malformed", path, detail)
}

/// Writes a file, section by section.
pub struct Writer {
    bytes: Vec<u8>,
    open: Option<usize>,
}

impl Writer {
    /// `room` is the length that the file will have, or near to it.
    pub fn new(letters: &[u8; 4], version: u32, sections: u32, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(letters);
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&sections.to_le_bytes());
        Self { bytes, open: None }
    }

    /// Ends the section before, if any, and begins the next.
    pub fn section(&mut self, number: u32) {
        self.close();
        self.u32(number);
        self.open = Some(self.bytes.len());
        self.u64(0);
    }

    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.close();
        self.bytes
    }

    fn close(&mut self) {
        if let Some(at) = self.open.take() {
            let length = (self.bytes.len() - at - 8) as u64;
            self.bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// A count that the formats give 32 bits.
///
/// # Panics
/// When it has more: no circuit comes near.
pub fn short(count: usize) -> u32 {
    u32::try_from(count).expect("far fewer than 2^32 wires and constraints")
}

/// Bytes that are taken from the front.
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` is named where something is missing.
    pub fn new(rest: &'a [u8], what: &'static str) -> Self {
        Self { rest, what }
    }

    /// # Errors
    /// `key_malformed`: fewer bytes are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| malformed(self.what, "the file is cut"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// # Errors
    /// `key_malformed`: fewer bytes are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many as were asked for"))
    }

    /// # Errors
    /// `key_malformed`: fewer bytes are left.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// # Errors
    /// `key_malformed`: fewer bytes are left.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// # Errors
    /// `key_malformed`: bytes are left over.
    pub fn end(&self) -> Result<()> {
        match self.rest {
            [] => Ok(()),
            _ => Err(malformed(self.what, "there are bytes left over")),
        }
    }
}

/// The sections of a file, by number; each stands at most once, and nothing follows the last.
pub struct Sections<'a>(Vec<(u32, &'a [u8])>);

impl<'a> Sections<'a> {
    /// # Errors
    /// `key_malformed`: other letters or another version, too many sections, one that stands twice, cut, or longer than it says.
    pub fn read(bytes: &'a [u8], letters: &[u8; 4], version: u32) -> Result<Self> {
        let mut reader = Reader::new(bytes, "file");
        if reader.array::<4>()? != *letters || reader.u32()? != version {
            return Err(malformed("file", "the file is of another kind or version"));
        }
        let count = reader.u32()? as usize;
        if count > MOST_SECTIONS {
            return Err(malformed("file", "the file has too many sections"));
        }
        let mut found = Vec::with_capacity(count);
        for _ in 0..count {
            let number = reader.u32()?;
            let length = usize::try_from(reader.u64()?).map_err(|_| malformed("file", "the file is cut"))?;
            if found.iter().any(|(known, _)| *known == number) {
                return Err(malformed("file", "a section stands twice"));
            }
            found.push((number, reader.take(length)?));
        }
        reader.end()?;
        Ok(Self(found))
    }

    /// # Errors
    /// `key_malformed`: there is no such section.
    pub fn get(&self, number: u32, what: &'static str) -> Result<&'a [u8]> {
        let found = self.0.iter().find(|(known, _)| *known == number);
        found
            .map(|(_, bytes)| *bytes)
            .ok_or_else(|| malformed(what, "a section is missing"))
    }
}
