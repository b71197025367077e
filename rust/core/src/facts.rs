//! What whoever keeps a sealed record must know of it, out of its line: the seal's identity and some fields' texts; and
//! the keyed hashes by which it is found.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use std::array::from_fn;
use std::borrow::Cow;
use std::collections::HashSet;

const FORMAT: &str = "chartseal/1";
const KIND: &str = "sealed-record";

/// Nothing of it is verified.
pub struct Facts {
    /// Of the holder, as text.
    pub address: String,
    /// enc ‖ tag; none in records that keep no tag.
    pub announcement: Option<[u8; 34]>,
    pub attester: [u8; 20],
    pub uid: [u8; 32],
    /// Of the seal, Unix seconds.
    pub time: u64,
    /// The package, as JSON.
    pub seal: String,
    /// Names without their resource type, and texts, in the record's order.
    pub texts: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "for", borrow)]
    address: Cow<'a, str>,
    #[serde(borrow)]
    enc: Cow<'a, str>,
    #[serde(borrow)]
    tag: Option<Cow<'a, str>>,
    #[serde(borrow)]
    seal: &'a RawValue,
    #[serde(borrow)]
    fields: Vec<Row<'a>>,
}

/// Name, ABI type and value.
#[derive(Deserialize)]
struct Row<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] &'a RawValue,
);

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    sig: Signed<'a>,
    #[serde(borrow)]
    signer: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// Facts of a line, with the texts of fields whose name is `wanted`: a path below the resource, with `[]` for any
/// index, as in `code.coding[].system`. None where it is no line of a sealed record.
#[must_use]
pub fn read(line: &[u8], wanted: &HashSet<String>) -> Option<Facts> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if (&*line.format, &*line.kind) != (FORMAT, KIND) {
        return None;
    }
    let package: Package = serde_json::from_str(line.seal.get()).ok()?;
    Some(Facts {
        announcement: match &line.tag {
            None => None,
            Some(tag) => Some(announcement(&line.enc, tag)?),
        },
        attester: bytes(&package.signer)?,
        uid: bytes(&package.sig.uid)?,
        time: number(&package.sig.message.time)?,
        seal: line.seal.get().to_owned(),
        texts: texts(&line.fields, wanted)?,
        address: line.address.into_owned(),
    })
}

fn announcement(enc: &str, tag: &str) -> Option<[u8; 34]> {
    let (enc, tag): ([u8; 32], [u8; 2]) = (bytes(enc)?, bytes(tag)?);
    [&enc[..], &tag].concat().try_into().ok()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.strip_prefix("0x")?.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let values: Option<Vec<u8>> = pairs
        .iter()
        .map(|&[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok())
        .collect();
    if rest.is_empty() { values?.try_into().ok() } else { None }
}

fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// None where a text is malformed.
fn texts(rows: &[Row], wanted: &HashSet<String>) -> Option<Vec<(String, String)>> {
    let mut place = String::new();
    let mut found = Vec::new();
    for Row(name, abi_type, value) in rows {
        let Some(path) = own_path(name) else { continue };
        unindexed(path, &mut place);
        if abi_type == "string" && wanted.contains(&place) {
            found.push((path.to_owned(), serde_json::from_str(value.get()).ok()?));
        }
    }
    Some(found)
}

/// A field's name below its resource, without the number that tells values of one name apart.
fn own_path(name: &str) -> Option<&str> {
    let (_, path) = name.split_once('.')?;
    match path.rsplit_once('+') {
        Some((path, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => Some(path),
        _ => Some(path),
    }
}

fn unindexed(path: &str, place: &mut String) {
    place.clear();
    let mut parts = path.split('[');
    place.extend(parts.next());
    for part in parts {
        let rest = part.trim_start_matches(|each: char| each.is_ascii_digit());
        place.push('[');
        place.push_str(rest);
    }
}

/// Makes what a record is found by of what it says, so that only who has the key can tell.
pub struct IndexKey(Hmac<Sha256>);

impl IndexKey {
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The first 16 bytes of HMAC-SHA256.
    #[must_use]
    pub fn term(&self, word: &[u8]) -> [u8; 16] {
        let digest = self.0.clone().chain_update(word).finalize().into_bytes();
        from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

    fn line(fields: &str, time: &str, uid: &str) -> String {
        format!(
            r#"{{"format":"chartseal/1","kind":"sealed-record","for":"seal1x","enc":"{WORD}","tag":"0x2222","seal":{{"sig":{{"uid":"{uid}","message":{{"time":"{time}"}}}},"signer":"0x3333333333333333333333333333333333333333"}},"fields":[{fields}],"more":[1]}}"#
        )
    }

    fn read_texts(fields: &str) -> Option<Vec<(String, String)>> {
        let wanted = ["id", "code.coding[].code"].map(str::to_owned).into();
        Some(read(line(fields, "7", WORD).as_bytes(), &wanted)?.texts)
    }

    #[test]
    fn the_seal_is_read() {
        let read = read(line("", "1795996800", WORD).as_bytes(), &HashSet::new()).unwrap();
        assert_eq!(
            (read.attester, read.uid, read.time),
            ([0x33; 20], [0x11; 32], 1_795_996_800)
        );
        let announcement = read.announcement.unwrap();
        assert_eq!(
            (&announcement[..32], &announcement[32..]),
            (&[0x11; 32][..], &[0x22; 2][..])
        );
        assert!(read.seal.starts_with(r#"{"sig":"#) && read.seal.ends_with('}'));
    }

    #[test]
    fn wanted_texts_are_found_at_any_index() {
        let fields = r#"["Observation.id","string","a\"b"],["Observation.code.coding[12].code","string","c"],
            ["Observation.code.coding[0].code+1","string","d"],["Observation.component[0].id","string","no"],
            ["Observation.id","uint256","1"],["id","string","no"]"#;
        let expected = [
            ("id", "a\"b"),
            ("code.coding[12].code", "c"),
            ("code.coding[0].code", "d"),
        ];
        let expected: Vec<_> = expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert_eq!(read_texts(fields).unwrap(), expected);
    }

    #[test]
    fn what_is_no_line_is_none() {
        assert!(read_texts(r#"["Observation.id","string",7]"#).is_none());
        assert!(read_texts(r#"["Observation.id","string"]"#).is_none());
        for (time, uid) in [
            ("", WORD),
            ("+7", WORD),
            ("7", "0x11"),
            ("7", &WORD[2..]),
            ("7", &WORD.replace('1', "g")),
        ] {
            assert!(
                read(line("", time, uid).as_bytes(), &HashSet::new()).is_none(),
                "{time} {uid}"
            );
        }
        let whole = line("", "7", WORD);
        for other in [
            &whole[1..],
            &whole.replace("sealed-record", "disclosure"),
            &whole.replace("chartseal/1", "chartseal/2"),
        ] {
            assert!(read(other.as_bytes(), &HashSet::new()).is_none(), "{other}");
        }
    }
}
