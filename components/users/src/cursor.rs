//! The opaque cursor that says where a page of the list starts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cursor of the page that starts after this id: base64url (RFC 4648, section 5) of its eight bytes.
pub fn encode(last_id: i64) -> String {
    URL_SAFE_NO_PAD.encode(last_id.to_be_bytes())
}

/// The id that the page starts after; `None` if `cursor` is not a cursor.
pub fn decode(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let id = i64::from_be_bytes(bytes.try_into().ok()?);
    (id > 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_encoding() {
        for id in [1, 42, i64::MAX] {
            assert_eq!(decode(&encode(id)), Some(id));
        }
    }

    #[test]
    fn anything_else_is_not_a_cursor() {
        let zero = URL_SAFE_NO_PAD.encode(0_i64.to_be_bytes());
        let negative = URL_SAFE_NO_PAD.encode((-1_i64).to_be_bytes());
        for other in ["", "42", "abc", "AAAAAAAAACo=", "AAAAAAAAACp", "AAAA+AAAACo", "é", &zero, &negative] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
