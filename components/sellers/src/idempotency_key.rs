//! The `Idempotency-Key` of a sale (draft-ietf-httpapi-idempotency-key-header): it makes it safe to send the sale
//! again.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http_api::response::to_json;
use http_api::{FieldError, Problem};
use sha2::{Digest, Sha256};

use crate::sale::NewSale;

/// Characters of a key, at most.
const KEY_MAX: usize = 255;

/// The `Idempotency-Key` of a request with a digest of its body, which tells whether the key was used for another body
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key that the client chose.
    pub key: String,
    /// SHA-256 of the checked body, in hexadecimal: bodies that mean the same have the same digest.
    pub digest: String,
}

/// The extractor of the header field `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentKey(Option<String>);

impl SentKey {
    /// The key together with the sale that it was sent with.
    pub fn with(self, sale: &NewSale) -> Option<IdempotencyKey> {
        self.0.map(|key| IdempotencyKey { key, digest: digest(sale) })
    }
}

impl<S: Sync> FromRequestParts<S> for SentKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        const NAME: &str = "idempotency-key";
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let text = value.to_str().ok().filter(|_| values.next().is_none()).and_then(unquoted);
        let key = text.filter(|key| {
            (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
        });
        match key {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(Problem::parameters(vec![FieldError::field(
                NAME,
                format!("must be given once and have 1 to {KEY_MAX} visible ASCII characters, with or without quotes"),
            )])),
        }
    }
}

/// SHA-256 in hexadecimal.
fn digest(sale: &NewSale) -> String {
    Sha256::digest(to_json(sale)).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The text between the quotes, or the text if there are none. `None`: there is only one quote.
fn unquoted(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_api::FromJson;

    #[test]
    fn equal_sales_have_equal_digests() {
        let key = |body: &str| SentKey(Some("k".to_owned())).with(&NewSale::from_json(body.as_bytes()).expect(body));
        assert_eq!(key(r#"{"amount": 1.5, "category": "a"}"#), key(r#"{"category":"a","amount":1.50}"#));
        for other in [r#"{"amount":1.5}"#, r#"{"amount":1.51,"category":"a"}"#, r#"{"amount":1.5,"productId":"a"}"#] {
            assert_ne!(key(r#"{"amount": 1.5, "category": "a"}"#), key(other), "{other}");
        }
        let stored = key(r#"{"amount": 1.5, "category": "a"}"#).map(|key| key.digest);
        assert_eq!(
            stored.as_deref(),
            Some("4f48fc7510506dbafc60c5768e75b3389d025be605320cd330fd38b8004114cb"),
            "earlier keys must stay valid"
        );
        assert_eq!(SentKey(None).with(&NewSale::from_json(br#"{"amount":1}"#).unwrap()), None);
    }

    #[test]
    fn quotes_of_a_key_do_not_matter() {
        assert_eq!([unquoted("a"), unquoted("\"a\""), unquoted("\"a")], [Some("a"), Some("a"), None]);
    }
}
