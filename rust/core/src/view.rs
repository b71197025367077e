//! Finding one address's records among all announcements, with its view secret alone.

use crate::delivery::{self, Received};
use crate::error::{Error, Kind, Result};
use crate::suite::Decapsulator;
use crate::wallet::SealingAddress;
use rayon::prelude::*;
use zeroize::Zeroizing;

/// Bytes of an announcement: enc ‖ tag.
pub const ANNOUNCEMENT: usize = 34;

/// The view secret of one address: it finds and reads, and cannot sign.
pub struct ViewKey {
    secret: Zeroizing<[u8; 32]>,
    decapsulator: Decapsulator,
    address: SealingAddress,
    info: [u8; 83],
}

impl ViewKey {
    /// # Errors
    /// `view_key_mismatch`: the secret is not of that address.
    pub fn new(secret: &[u8; 32], address: SealingAddress) -> Result<Self> {
        let decapsulator = Decapsulator::new(secret);
        if *decapsulator.public() != address.view {
            return Err(refused("view_key_mismatch", "the view secret is not of this address"));
        }
        Ok(Self {
            secret: Zeroizing::new(*secret),
            decapsulator,
            info: delivery::info(&address),
            address,
        })
    }

    /// What `enc` delivers to the address.
    ///
    /// # Errors
    /// `enc_invalid`.
    pub fn receive(&self, enc: &[u8; 32]) -> Result<Received> {
        delivery::receive(&self.secret, &self.address, enc)
    }

    /// Positions of the announcements whose tag matches, over all cores; one in 65,536 of others' does too.
    ///
    /// # Errors
    /// `announcements_malformed`: not whole announcements.
    pub fn scan(&self, announcements: &[u8]) -> Result<Vec<usize>> {
        let (whole, rest) = announcements.as_chunks::<ANNOUNCEMENT>();
        if !rest.is_empty() {
            return Err(refused(
                "announcements_malformed",
                "an announcement has 34 bytes, and the last one is cut",
            ));
        }
        let matching = |(at, entry): (usize, &[u8; ANNOUNCEMENT])| self.matches(entry).then_some(at);
        Ok(whole.par_iter().enumerate().filter_map(matching).collect())
    }

    fn matches(&self, announcement: &[u8; ANNOUNCEMENT]) -> bool {
        let (enc, tag) = announcement.split_first_chunk::<32>().expect("it has 34 bytes");
        let mut expected = [0; 2];
        let context = self.decapsulator.receiver(enc, &self.info);
        context.is_some_and(|context| context.export(delivery::TAG, &mut expected).is_ok() && expected == *tag)
    }
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::Key, code, "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::deliver;
    use crate::wallet::Wallet;

    fn wallet(seed: u8) -> Wallet {
        Wallet::from_seed(&[seed; 64]).unwrap()
    }

    fn view_key(wallet: &Wallet) -> ViewKey {
        ViewKey::new(&wallet.view_secret(0, 0), wallet.address(0, 0).unwrap()).unwrap()
    }

    #[test]
    fn a_scan_finds_what_receiving_finds() {
        let (ours, theirs) = (wallet(1), wallet(2));
        let entry = |at: usize| {
            let to = if at % 7 == 3 { &ours } else { &theirs };
            deliver(&to.address(0, 0).unwrap()).unwrap().announcement()
        };
        let mut entries: Vec<[u8; ANNOUNCEMENT]> = (0..40).map(entry).collect();
        entries.push([0; ANNOUNCEMENT]); // a key of low order is nobody's
        let key = view_key(&ours);
        let expected: Vec<usize> = (0..entries.len())
            .filter(|&at| {
                let (enc, tag) = entries[at].split_first_chunk().unwrap();
                key.receive(enc).is_ok_and(|received| received.tag == *tag)
            })
            .collect();
        assert!([3, 10, 17, 24, 31, 38].iter().all(|at| expected.contains(at)));
        assert_eq!(key.scan(&entries.concat()), Ok(expected));
        assert_eq!(key.scan(b""), Ok(vec![]));
    }

    #[test]
    fn cut_announcements_and_other_secrets_are_refused() {
        let ours = wallet(1);
        assert_eq!(
            view_key(&ours).scan(&[0; 35]).unwrap_err().code,
            "announcements_malformed"
        );
        let other = ViewKey::new(&ours.view_secret(1, 0), ours.address(0, 0).unwrap());
        assert_eq!(other.err().unwrap().code, "view_key_mismatch");
    }
}
