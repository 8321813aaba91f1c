//! The header fields that components see: Spin's `spin-*` fields are added, fields of the connection removed.

use std::net::SocketAddr;

use http::Request;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};

use super::routes::Matched;
use crate::manifest::chaining_target;

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
const PATH_MATCH_PREFIX: &str = "spin-path-match-";

/// The value of `spin-client-addr`.
pub fn client(address: SocketAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).expect("addresses are printable")
}

/// The value of `spin-client-addr` if the client is another component.
pub const CHAINED_CLIENT: HeaderValue = HeaderValue::from_static("0.0.0.0:0");

/// Removes the fields of the connection, and a `Host` that means another component.
pub fn strip(headers: &mut HeaderMap) {
    let chained = headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(|h| chaining_target(h).is_some());
    if chained {
        headers.remove(HOST);
    }
    headers.remove(CONNECTION);
}

/// Adds the `spin-*` fields, replacing those that the client sent.
pub fn add<B>(request: &mut Request<B>, matched: &Matched<'_>, client: &HeaderValue) {
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let scheme = request.uri().scheme_str().unwrap_or("http");
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let full_url = value(format!("{scheme}://{host}{path}"));
    let path_info = value(matched.path_info.clone());
    let headers = request.headers_mut();
    let forged: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(PATH_MATCH_PREFIX)).cloned().collect();
    forged.into_iter().for_each(|name| drop(headers.remove(name)));
    headers.reserve(7 + matched.captures.len());
    headers.insert(PATH_INFO, path_info);
    headers.insert(FULL_URL, full_url);
    headers.insert(MATCHED_ROUTE, matched.route.absolute.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, matched.route.pattern.clone());
    headers.insert(COMPONENT_ROUTE, matched.route.prefix.clone());
    headers.insert(CLIENT_ADDR, client.clone());
    for (name, captured) in &matched.captures {
        let name = format!("{PATH_MATCH_PREFIX}{}", name.replace('_', "-").to_ascii_lowercase());
        if let Ok(name) = HeaderName::try_from(name) {
            headers.insert(name, value(captured.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let request = fields.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("valid")
    }

    #[test]
    fn fields_of_the_connection_are_removed() {
        let mut request = get("/", &[("host", "users.spin.internal:80"), ("connection", "close"), ("accept", "*/*")]);
        strip(request.headers_mut());
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["accept"]);
        let mut request = get("/", &[("host", "users.example")]);
        strip(request.headers_mut());
        assert_eq!(request.headers().len(), 1);
    }
}
