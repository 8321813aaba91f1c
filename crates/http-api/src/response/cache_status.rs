//! The `Cache-Status` field (RFC 9211).

use std::fmt::Display;

use axum::http::HeaderValue;
use axum::http::header::HeaderName;

use crate::product::product;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The name and the value of `Cache-Status`. `parameters` are those of the cache, such as `hit; ttl=277`; the product's
/// name goes before them.
pub fn cache_status(parameters: impl Display) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(format!("{}; {parameters}", product()));
    (CACHE_STATUS, value.unwrap_or(HeaderValue::from_static(product())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_name_comes_first() {
        crate::set_product("tumbler");
        assert_eq!(cache_status("hit; ttl=7").1, "tumbler; hit; ttl=7");
        assert_eq!(cache_status("hit; key=\"\n\"").1, "tumbler");
    }
}
