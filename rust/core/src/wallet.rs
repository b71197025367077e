//! A holder's keys from one BIP-39 seed, and the sealing address that the holder gives out.

use crate::babyjub::{Point, SecretScalar};
use crate::error::{Error, Kind, Result};
use crate::hash::hkdf;
use crate::poseidon::{self, Fr};
use crate::suite;
use crate::tags;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use hkdf::Hkdf;
use sha2::Sha256;
use std::array::from_fn;
use zeroize::Zeroizing;

const PREFIX: Hrp = Hrp::parse_unchecked("seal");

/// Spend secret and view secrets, derived on demand. The hash state is erased when dropped.
pub struct Wallet {
    extracted: Hkdf<Sha256>,
    spend: SecretScalar,
}

impl Wallet {
    /// From a BIP-39 seed (64 bytes).
    ///
    /// # Errors
    /// `secret_is_zero`, for one seed in 2^251.
    pub fn from_seed(seed: &[u8; 64]) -> Result<Self> {
        let extracted = Hkdf::new(None, seed);
        let wide = Zeroizing::new(hkdf::<64>(&extracted, &[b"chartseal/1/spend"]));
        Ok(Self {
            spend: SecretScalar::from_wide_le_bytes(&wide)?,
            extracted,
        })
    }

    pub fn spend(&self) -> &SecretScalar {
        &self.spend
    }

    /// The raw X25519 scalar of an address (0 general, 1 confidential, …) in an epoch.
    pub fn view_secret(&self, address: u32, epoch: u32) -> Zeroizing<[u8; 32]> {
        let info: [&[u8]; 3] = [b"chartseal/1/view\0", &address.to_be_bytes(), &epoch.to_be_bytes()];
        Zeroizing::new(hkdf(&self.extracted, &info))
    }

    pub fn address(&self, address: u32, epoch: u32) -> Result<SealingAddress> {
        Ok(SealingAddress {
            spend: self.spend.public(),
            view: suite::public(&self.view_secret(address, epoch)),
        })
    }
}

/// P(tagHolder, Sx, Sy): the value of claim 0.
pub fn holder_commitment(spend: &Point) -> Fr {
    let (x, y) = spend.coordinates();
    poseidon::hash(&[tags::HOLDER, x, y])
}

/// pack(S) ‖ view public key: what a provider seals to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealingAddress {
    pub spend: Point,
    /// X25519 public key.
    pub view: [u8; 32],
}

impl SealingAddress {
    /// # Errors
    /// Kind `Key`: the spend key is refused as [`Point::unpack`] says, or the view key has a low order.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self> {
        let spend = Point::unpack(&from_fn(|i| bytes[i]))?;
        let address = Self {
            spend,
            view: from_fn(|i| bytes[32 + i]),
        };
        // A key of low order would give every record the same secret; HPKE refuses it, here before it is registered.
        crate::delivery::deliver_with(&address, &[1; 32])?;
        Ok(address)
    }

    pub fn to_bytes(&self) -> [u8; 64] {
        let packed = self.spend.pack();
        from_fn(|i| if i < 32 { packed[i] } else { self.view[i - 32] })
    }

    /// bech32m with prefix `seal`, all lower or all upper case (as QR codes like it).
    ///
    /// # Errors
    /// `address_malformed`, or what [`SealingAddress::from_bytes`] refuses.
    pub fn parse(text: &str) -> Result<Self> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| refused("the address is not bech32m"))?;
        if checked.hrp() != PREFIX {
            return Err(refused("the address does not begin with seal1"));
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let bytes: [u8; 64] = bytes.try_into().map_err(|_| refused("the address has not 64 bytes"))?;
        let address = Self::from_bytes(&bytes)?;
        match text.eq_ignore_ascii_case(&address.to_string()) {
            true => Ok(address),
            false => Err(refused("the address's padding is not zero")),
        }
    }
}

impl std::fmt::Display for SealingAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.to_bytes()).map_err(|_| std::fmt::Error)
    }
}

fn refused(detail: &str) -> Error {
    Error::new(Kind::Key, "address_malformed", "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "seal1pteey3y0vltgc374rxh888hgrgdjea6eawk84kt8ys0r5c46m6r6s5jql8xnjl72z3ufz3yu554ypyuhs099sxxvuyjntgksad4cyxchytlj9";

    #[test]
    fn derives_the_vector_wallet() {
        let wallet = Wallet::from_seed(&[0x22; 64]).unwrap();
        assert_eq!(wallet.address(0, 0).unwrap().to_string(), ADDRESS);
        let holder = "4016016880515933298986240371989803645899852366221927747859625823426522066977";
        assert_eq!(holder_commitment(&wallet.spend().public()).to_string(), holder);
        assert_ne!(wallet.address(1, 0).unwrap(), wallet.address(0, 1).unwrap());
    }

    #[test]
    fn addresses_come_back_in_either_case() {
        let address = SealingAddress::parse(ADDRESS).unwrap();
        assert_eq!(address.to_string(), ADDRESS);
        assert_eq!(SealingAddress::parse(&ADDRESS.to_uppercase()), Ok(address));
    }

    fn encoded(bytes: &[u8]) -> String {
        bech32::encode::<Bech32m>(PREFIX, bytes).unwrap()
    }

    #[test]
    fn other_texts_are_refused() {
        let bytes = SealingAddress::parse(ADDRESS).unwrap().to_bytes();
        let code = |text: &str| SealingAddress::parse(text).unwrap_err().code;
        let other_checksum = bech32::encode::<bech32::Bech32>(PREFIX, &bytes).unwrap();
        let other_prefix = bech32::encode::<Bech32m>(Hrp::parse("sea").unwrap(), &bytes).unwrap();
        let mixed_case = ADDRESS.replacen('t', "T", 1);
        let short = encoded(&bytes[..63]);
        for text in [
            "",
            "seal1",
            &ADDRESS[..50],
            &other_checksum,
            &other_prefix,
            &mixed_case,
            &short,
        ] {
            assert_eq!(code(text), "address_malformed", "{text}");
        }
    }

    #[test]
    fn low_order_view_keys_are_refused() {
        let mut bytes = SealingAddress::parse(ADDRESS).unwrap().to_bytes();
        bytes[32..].fill(0);
        assert_eq!(SealingAddress::from_bytes(&bytes).unwrap_err().code, "view_key_invalid");
        bytes[32] = 1;
        assert_eq!(
            SealingAddress::parse(&encoded(&bytes)).unwrap_err().code,
            "view_key_invalid"
        );
    }
}
