//! The product's name, as responses show it: in `Cache-Status` and in the realm of `WWW-Authenticate`.

use std::sync::OnceLock;

static NAME: OnceLock<&'static str> = OnceLock::new();

/// Sets the product's name: a token of RFC 9110 such as `tumbler`. Only the first call has an effect.
pub fn set_product(name: &'static str) {
    NAME.get_or_init(|| name);
}

/// The product's name; `http-api` until [`set_product`] is called.
pub(crate) fn product() -> &'static str {
    NAME.get().copied().unwrap_or("http-api")
}
