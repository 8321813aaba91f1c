//! The `Link` field (RFC 8288).

use axum::http::HeaderValue;
use axum::http::header::{HeaderName, LINK};

/// The name and the value of the `Link` to the next page, at this path and query string.
///
/// # Panics
/// If `target` has characters that a URI cannot have; [`query::write`](crate::query::write) makes none.
pub fn next_link(target: &str) -> (HeaderName, HeaderValue) {
    (LINK, HeaderValue::try_from(format!("<{target}>; rel=\"next\"")).expect("a URI is a field value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_in_angle_brackets() {
        assert_eq!(next_link("/users?limit=2&cursor=a%2Bb").1, "</users?limit=2&cursor=a%2Bb>; rel=\"next\"");
    }
}
