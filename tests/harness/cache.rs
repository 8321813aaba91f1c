//! Paths of the cache service.

/// The path of a cache key: `/api/cache/` and the key, percent-encoded.
pub fn entry_path(key: &str) -> String {
    format!("/api/cache/{}", percent_encoded(key))
}

/// Encodes all bytes except RFC 3986's unreserved characters.
pub fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reserved_characters_are_encoded() {
        assert_eq!(super::percent_encoded("a:b/c ä%~"), "a%3Ab%2Fc%20%C3%A4%25~");
    }
}
