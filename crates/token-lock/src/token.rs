//! What proves that a lock is one's own.

use std::fmt;

/// 128 unguessable bits in base64url without padding (RFC 4648, section 5): 22 characters. Whoever has it can release
/// the lock, so its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text that no token can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH: usize = 22;

impl Token {
    /// A token made of 128 random bits.
    pub(crate) fn from_random(high: u64, low: u64) -> Self {
        let bits = (u128::from(high) << 64) | u128::from(low);
        // 22 digits hold 132 bits: the last digit ends with four zero bits.
        let digit = |at: usize| match 122_usize.checked_sub(6 * at) {
            Some(shift) => (bits >> shift) as usize & 63,
            None => ((bits as usize) << 4) & 63,
        };
        Self((0..LENGTH).map(|at| char::from(ALPHABET[digit(at)])).collect())
    }

    /// The token that a client sends back.
    ///
    /// # Errors
    /// [`InvalidToken`] for a text that was never given out as a token.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        if text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }

    /// Its text, for the holder only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be a token as acquire gave it out: {LENGTH} characters of base64url")
    }
}

impl std::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_base64url() {
        // RFC 4648: sixteen zero bytes, sixteen 0xff, and 0x00 to 0x0f.
        assert_eq!(Token::from_random(0, 0).as_str(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Token::from_random(u64::MAX, u64::MAX).as_str(), "_____________________w");
        assert_eq!(Token::from_random(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f).as_str(), "AAECAwQFBgcICQoLDA0ODw");
    }

    #[test]
    fn only_tokens_parse() {
        let token = Token::from_random(1, u64::MAX);
        assert_eq!(Token::parse(token.as_str()), Ok(token));
        for text in ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAA+AAAAAAAAAAA"] {
            assert_eq!(Token::parse(text), Err(InvalidToken), "{text}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_logs() {
        assert!(!format!("{:?}", Token::from_random(1, 2)).contains("AAA"));
    }
}
