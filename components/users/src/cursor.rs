//! The cursor of a page: where it starts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The opaque cursor of the page that starts after this id: base64url (RFC 4648, section 5) of its eight bytes.
pub fn encode_cursor(last_id: i64) -> String {
    URL_SAFE_NO_PAD.encode(last_id.to_be_bytes())
}

/// The id that the page starts after; `None` if `cursor` is not a cursor.
pub fn decode_cursor(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let id = i64::from_be_bytes(bytes.try_into().ok()?);
    (id > 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_stand_for_ids() {
        for id in [1, 42, i64::MAX] {
            assert_eq!(decode_cursor(&encode_cursor(id)), Some(id));
        }
        let (zero, negative) = (encode_cursor(0), encode_cursor(-1));
        for other in ["", "42", "abc", "AAAAAAAAACo=", "AAAAAAAAACp", "AAAA+AAAACo", "é", &zero, &negative] {
            assert_eq!(decode_cursor(other), None, "{other}");
        }
    }
}
