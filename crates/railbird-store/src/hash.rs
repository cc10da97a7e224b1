//! What bytes are called by what they are. Start at [`ContentHash::of`].

use std::{fmt, fs::File, path::Path, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// BLAKE3 of some bytes; shown as 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of a file, read through a buffer of fixed size.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(Error::io(path, "read"))?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// Refuses `bytes` that are not those that this is the hash of. `place`: what they are, for the error.
    ///
    /// # Errors
    /// [`Error::Hash`].
    pub fn verify(&self, bytes: &[u8], place: impl fmt::Display) -> Result<(), Error> {
        let found = Self::of(bytes);
        if found == *self { Ok(()) } else { Err(Error::Hash { place: place.to_string(), expected: *self, found }) }
    }

    /// The first `digits` hexadecimal digits, at most 64: a name where few things are told apart.
    pub fn short(&self, digits: usize) -> String {
        let mut hex = self.to_string();
        hex.truncate(digits);
        hex
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match blake3::Hash::from_hex(text) {
            // One spelling only, since hashes are compared as names too.
            Ok(hash) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(Self(*hash.as_bytes())),
            _ => Err(Error::HashText { found: text.chars().take(80).collect() }),
        }
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::expect;

    use super::*;

    #[test]
    fn is_the_hash_that_everyone_computes() {
        // `b3sum` of nothing.
        expect!["af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"]
            .assert_eq(&ContentHash::of(b"").to_string());
        assert_eq!(ContentHash::of(b"").short(20), "af1349b9f5f9a1a6a040");
    }

    #[test]
    fn a_flipped_bit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack");
        let mut bytes = vec![7; 100_000];
        fs::write(&path, &bytes).unwrap();
        let hash = ContentHash::of_file(&path).unwrap();
        hash.verify(&bytes, "pack").unwrap();
        for at in [0, 1, 50_000, 99_999] {
            bytes[at] ^= 0x10;
            let error = hash.verify(&bytes, path.display()).unwrap_err();
            assert!(matches!(error, Error::Hash { expected, .. } if expected == hash), "{error}");
            bytes[at] ^= 0x10;
        }
    }

    #[test]
    fn text_and_json_come_back_and_other_spellings_are_refused() {
        let hash = ContentHash::of(b"a lap");
        assert_eq!(hash.to_string().parse::<ContentHash>().unwrap(), hash);
        assert_eq!(serde_json::from_str::<ContentHash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
        for text in ["", "af13", &hash.to_string().to_uppercase(), &format!("{hash}0"), &"ü".repeat(32)] {
            assert!(text.parse::<ContentHash>().is_err(), "{text}");
        }
    }
}
