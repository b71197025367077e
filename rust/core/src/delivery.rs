//! One HPKE context for each record: its one-time subject, its view tag, and its ciphertext.
//!
//! The sender needs only the address; whoever has the view secret finds and reads; only the spend secret can sign.

use crate::babyjub::{Point, SecretScalar, base_times};
use crate::eddsa::no_randomness;
use crate::error::{Error, Kind, Result};
use crate::suite::{self, Receiver, Sender};
use crate::wallet::SealingAddress;
use zeroize::Zeroizing;

/// What the view tag is exported for.
pub(crate) const TAG: &[u8] = b"chartseal/1/tag";

/// What both sides derive from the context.
struct Derived {
    shift: SecretScalar,
    subject: Point,
    tag: [u8; 2],
    locator: [u8; 32],
}

/// The sender's side of one record.
pub struct Delivery {
    /// HPKE's encapsulated key, kept in the sealed record.
    pub enc: [u8; 32],
    /// The record's one-time holder key, packed.
    pub subject: [u8; 32],
    /// First filter of a scanning wallet.
    pub tag: [u8; 2],
    /// Where the ciphertext lies.
    pub locator: [u8; 32],
    context: Sender,
}

/// Starts the delivery of one record to `address`.
///
/// # Errors
/// `view_key_invalid` or `no_randomness`.
pub fn deliver(address: &SealingAddress) -> Result<Delivery> {
    let mut ikm = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *ikm).map_err(|_| no_randomness())?;
    deliver_with(address, &ikm)
}

/// [`deliver`] with the ephemeral key that RFC 9180's DeriveKeyPair makes of `ikm`: fresh random bytes for each record,
/// or the same record's again when a run is resumed.
pub fn deliver_with(address: &SealingAddress, ikm: &[u8; 32]) -> Result<Delivery> {
    let (enc, context) = suite::sender(&address.view, &info(address), ikm).ok_or_else(view_key_invalid)?;
    let derived = derive(address, |label, out| context.export(label, out))?;
    let Derived {
        subject, tag, locator, ..
    } = derived;
    Ok(Delivery {
        enc,
        subject: subject.pack(),
        tag,
        locator,
        context,
    })
}

impl Delivery {
    /// enc ‖ tag, the only thing that is published.
    pub fn announcement(&self) -> [u8; 34] {
        std::array::from_fn(|i| if i < 32 { self.enc[i] } else { self.tag[i - 32] })
    }

    /// Encrypts the sealed record, padded; consumes the delivery, since a context delivers one record.
    pub fn seal(mut self, record: &[u8]) -> Result<Vec<u8>> {
        let padded = Zeroizing::new(pad(record));
        self.context
            .seal(&padded, &self.locator)
            .map_err(|_| refused("ciphertext_refused", "the record is too long"))
    }
}

/// The receiver's side of one record, from the view secret alone.
pub struct Received {
    pub subject: [u8; 32],
    pub tag: [u8; 2],
    pub locator: [u8; 32],
    shift: SecretScalar,
    context: Receiver,
}

/// Recomputes what `enc` delivers to `address`.
///
/// # Errors
/// `enc_invalid`: no sender makes such a key.
pub fn receive(view_secret: &[u8; 32], address: &SealingAddress, enc: &[u8; 32]) -> Result<Received> {
    let context = suite::receiver(view_secret, enc, &info(address))
        .ok_or_else(|| refused("enc_invalid", "the encapsulated key is invalid"))?;
    let Derived {
        shift,
        subject,
        tag,
        locator,
    } = derive(address, |label, out| context.export(label, out))?;
    Ok(Received {
        subject: subject.pack(),
        tag,
        locator,
        shift,
        context,
    })
}

impl Received {
    /// The secret of the subject, s + t. It never leaves the wallet: with t it is the spend secret.
    pub fn subject_secret(&self, spend: &SecretScalar) -> Result<SecretScalar> {
        spend.plus(&self.shift)
    }

    /// Decrypts and unpads the sealed record.
    ///
    /// # Errors
    /// `ciphertext_refused`: not the record of this context, or altered.
    pub fn open(mut self, ciphertext: &[u8]) -> Result<Vec<u8>> {
        let altered = || {
            refused(
                "ciphertext_refused",
                "the ciphertext is not this delivery's, or was altered",
            )
        };
        let padded = self.context.open(ciphertext, &self.locator).map_err(|_| altered())?;
        unpad(padded).ok_or_else(altered)
    }
}

pub(crate) fn info(address: &SealingAddress) -> [u8; 83] {
    let mut info = [0; 83];
    info[..19].copy_from_slice(b"chartseal/1/deliver");
    info[19..].copy_from_slice(&address.to_bytes());
    info
}

fn derive<E>(
    address: &SealingAddress,
    export: impl Fn(&[u8], &mut [u8]) -> std::result::Result<(), E>,
) -> Result<Derived> {
    let mut wide = Zeroizing::new([0; 64]);
    let (mut tag, mut locator) = ([0; 2], [0; 32]);
    let exports = [
        export(b"chartseal/1/t", &mut *wide),
        export(TAG, &mut tag),
        export(b"chartseal/1/locator", &mut locator),
    ];
    assert!(
        exports.iter().all(|export| export.is_ok()),
        "HPKE exports up to 65,535 bytes"
    );
    let shift = SecretScalar::from_wide_le_bytes(&wide)?;
    let subject = Point::from_subgroup(base_times(shift.scalar()) + address.spend.affine())?;
    Ok(Derived {
        shift,
        subject,
        tag,
        locator,
    })
}

/// The record, 0x80, and zeros up to Padmé's length: at most 12 % more, and a length tells O(log log) bits.
/// Source: Nikitin and others, "Reducing Metadata Leakage from Encrypted Files" (PoPETs 2019), section 4.
fn pad(record: &[u8]) -> Vec<u8> {
    let mut padded = Vec::with_capacity(padme(record.len() + 1));
    padded.extend_from_slice(record);
    padded.push(0x80);
    padded.resize(padme(record.len() + 1), 0);
    padded
}

fn padme(length: usize) -> usize {
    let exponent = length.ilog2();
    let low_bits = match exponent {
        0 => 0,
        _ => exponent - exponent.ilog2() - 1,
    };
    length.next_multiple_of(1 << low_bits)
}

fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let end = padded.iter().rposition(|&byte| byte != 0)?;
    let canonical = padded[end] == 0x80 && padded.len() == padme(end + 1);
    padded.truncate(end);
    canonical.then_some(padded)
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::Key, code, "", detail)
}

fn view_key_invalid() -> Error {
    refused("view_key_invalid", "the address's view key is invalid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::Wallet;

    fn wallet() -> Wallet {
        Wallet::from_seed(&[0x22; 64]).unwrap()
    }

    fn received(enc: &[u8; 32]) -> Received {
        let wallet = wallet();
        receive(&wallet.view_secret(0, 0), &wallet.address(0, 0).unwrap(), enc).unwrap()
    }

    #[test]
    fn both_sides_derive_the_same() {
        let delivery = deliver(&wallet().address(0, 0).unwrap()).unwrap();
        let received = received(&delivery.enc);
        assert_eq!(
            (received.subject, received.tag, received.locator),
            (delivery.subject, delivery.tag, delivery.locator)
        );
        let secret = received.subject_secret(wallet().spend()).unwrap();
        assert_eq!(secret.public().pack(), delivery.subject);
    }

    #[test]
    fn each_delivery_has_its_own_subject() {
        let address = wallet().address(0, 0).unwrap();
        assert_ne!(deliver(&address).unwrap().subject, deliver(&address).unwrap().subject);
        assert_eq!(
            deliver_with(&address, &[1; 32]).unwrap().subject,
            deliver_with(&address, &[1; 32]).unwrap().subject
        );
    }

    #[test]
    fn another_address_finds_nothing() {
        let wallet = wallet();
        let delivery = deliver(&wallet.address(0, 0).unwrap()).unwrap();
        let other = receive(&wallet.view_secret(1, 0), &wallet.address(1, 0).unwrap(), &delivery.enc).unwrap();
        assert_ne!(other.subject, delivery.subject);
    }

    #[test]
    fn only_the_delivered_record_opens() {
        let address = wallet().address(0, 0).unwrap();
        let enc = deliver_with(&address, &[5; 32]).unwrap().enc;
        for length in [0, 1, 100, 5_000] {
            let record = vec![7; length];
            let ciphertext = deliver_with(&address, &[5; 32]).unwrap().seal(&record).unwrap();
            assert_eq!(received(&enc).open(&ciphertext), Ok(record));
            for at in [0, ciphertext.len() - 1] {
                let mut altered = ciphertext.clone();
                altered[at] ^= 1;
                assert_eq!(received(&enc).open(&altered).unwrap_err().code, "ciphertext_refused");
            }
        }
    }

    #[test]
    fn encapsulated_keys_of_low_order_are_refused() {
        let wallet = wallet();
        let refused = receive(&wallet.view_secret(0, 0), &wallet.address(0, 0).unwrap(), &[0; 32]);
        assert_eq!(refused.err().unwrap().code, "enc_invalid");
    }

    #[test]
    fn padding_follows_padme_and_is_canonical() {
        // By hand, with the paper's algorithm 1.
        for (length, expected) in [
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (100, 104),
            (1_000, 1_024),
            (1_000_000, 1_015_808),
        ] {
            assert_eq!(padme(length), expected);
        }
        for length in 0..300 {
            assert_eq!(unpad(pad(&vec![0x80; length])), Some(vec![0x80; length]));
        }
        let mut longer = pad(b"record");
        longer.push(0);
        assert!(
            [longer, vec![0; 16], vec![]]
                .into_iter()
                .all(|padded| unpad(padded).is_none())
        );
    }
}
