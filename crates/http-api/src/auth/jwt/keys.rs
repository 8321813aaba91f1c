//! The keys of JSON Web Tokens, checked before the first request.

use ed25519_dalek::VerifyingKey;
use jsonwebtoken::{Algorithm, DecodingKey};
use rsa::RsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;

use super::JwtKeyError;

/// The shortest secret of HS256, in bytes: as long as its hash (RFC 7518, section 3.2).
const SECRET_MIN_BYTES: usize = 32;
/// The shortest RSA key (RFC 7518, section 3.3).
const RSA_MIN_BITS: usize = 2048;

/// A key and the only algorithm that it is used with.
pub struct Key {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

impl Key {
    /// The key of HS256.
    ///
    /// # Errors
    /// It is too short.
    pub fn of_secret(secret: &str) -> Result<Self, JwtKeyError> {
        if secret.len() < SECRET_MIN_BYTES {
            return Err(JwtKeyError::Secret);
        }
        Ok(Self { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret.as_bytes()) })
    }

    /// The key of RS256 or EdDSA.
    ///
    /// # Errors
    /// It is not PEM of such a public key, or weak.
    pub fn of_pem(pem: &str) -> Result<Self, JwtKeyError> {
        // Environment files have no line ends inside a value.
        let pem = pem.replace("\\n", "\n");
        let pem = pem.trim();
        if let Ok(key) = RsaPublicKey::from_public_key_pem(pem)
            && key.n().bits() >= RSA_MIN_BITS
        {
            let key = DecodingKey::from_rsa_raw_components(&key.n().to_bytes_be(), &key.e().to_bytes_be());
            return Ok(Self { algorithm: Algorithm::RS256, key });
        }
        match VerifyingKey::from_public_key_pem(pem) {
            // For a weak key everybody can make signatures.
            Ok(key) if !key.is_weak() => {
                Ok(Self { algorithm: Algorithm::EdDSA, key: DecodingKey::from_ed_der(key.as_bytes()) })
            }
            _ => Err(JwtKeyError::PublicKey),
        }
    }
}
