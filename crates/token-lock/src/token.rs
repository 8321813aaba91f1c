//! The token that proves who holds a lock.

use std::fmt;

use ports::Runtime;

/// 128 random bits in base64url without padding (RFC 4648, section 5): 22 characters. Anyone who knows a token can
/// release the lock, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text that cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a token that acquire returned: {LENGTH} characters of base64url")]
pub struct InvalidToken;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH: usize = 22;

impl Token {
    /// A new token.
    pub(crate) fn random(runtime: &impl Runtime) -> Self {
        Self::from_random(runtime.random_u64(), runtime.random_u64())
    }

    /// The token for 128 random bits.
    fn from_random(high: u64, low: u64) -> Self {
        let bits = (u128::from(high) << 64) | u128::from(low);
        // 22 digits hold 132 bits, so the last digit ends with four zero bits.
        let digit = |at: usize| match 122_usize.checked_sub(6 * at) {
            Some(shift) => (bits >> shift) as usize & 63,
            None => ((bits as usize) << 4) & 63,
        };
        Self((0..LENGTH).map(|at| char::from(ALPHABET[digit(at)])).collect())
    }

    /// Reads a token that a client sent back.
    ///
    /// # Errors
    /// [`InvalidToken`] if the text does not have the form of a token.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        if text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }

    /// The text of the token. Send it to the holder only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

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
    fn debug_output_does_not_contain_the_token() {
        assert!(!format!("{:?}", Token::from_random(1, 2)).contains("AAA"));
    }
}
