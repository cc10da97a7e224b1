//! The secret that lets a client in, and the cookie that stands for it.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::ServeError;

/// A token, kept as hashes: neither its text nor its length can be read back or measured.
#[derive(Clone)]
pub struct Token {
    token: blake3::Hash,
    cookie: String,
    cookie_hash: blake3::Hash,
}

/// Shortest token accepted, bytes.
const TOKEN_BYTES_MIN: usize = 16;

impl Token {
    /// Takes the secret, without white space around it.
    ///
    /// # Errors
    /// [`ServeError::Token`] where it is shorter than 16 bytes.
    pub fn new(secret: &str) -> Result<Self, ServeError> {
        let secret = secret.trim();
        if secret.len() < TOKEN_BYTES_MIN {
            return Err(ServeError::Token { bytes: secret.len(), min: TOKEN_BYTES_MIN });
        }
        // The cookie is derived, so that one read from a browser's profile does not give the token away.
        let cookie = blake3::Hash::from(blake3::derive_key("railbird 2026 login cookie", secret.as_bytes()))
            .to_hex()
            .to_string();
        let cookie_hash = blake3::hash(cookie.as_bytes());
        Ok(Self { token: blake3::hash(secret.as_bytes()), cookie, cookie_hash })
    }

    /// Whether `given` is the token. Takes the same time for every wrong one of a length.
    pub fn is(&self, given: &str) -> bool {
        same(&blake3::hash(given.trim().as_bytes()), &self.token)
    }

    /// Whether `given` is the cookie's value.
    pub(crate) fn is_cookie(&self, given: &str) -> bool {
        same(&blake3::hash(given.as_bytes()), &self.cookie_hash)
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn same(a: &blake3::Hash, b: &blake3::Hash) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_let_in() {
        let token = Token::new(" correct horse battery \n").unwrap();
        assert!(token.is("correct horse battery"));
        for wrong in ["", "correct horse batter", "correct horse battery!", token.cookie()] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(token.is_cookie(token.cookie()));
        assert!(!token.is_cookie("correct horse battery"));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn a_guessable_token_is_refused() {
        assert!(matches!(Token::new("  short          "), Err(ServeError::Token { bytes: 5, min: 16 })));
    }
}
