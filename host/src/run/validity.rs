//! What a request must be before it is routed: RFC 9110 and RFC 9112, as far as hyper does not check it.

use http::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};

use crate::manifest::chaining_target;

/// Why a request is refused: the status and the text for the client.
pub type Refusal = (StatusCode, &'static str);

/// The methods that a component may be asked for.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";

const fn bad(detail: &'static str) -> Refusal {
    (StatusCode::BAD_REQUEST, detail)
}

/// Checks `request`, then makes its URI absolute and its `Host` field agree with that. `origin` is the authority of an
/// HTTP/1.0 request that names none.
///
/// Errors: 501 for an unknown method or transfer coding; 421 for another scheme than http; 400 for all others.
pub fn check<B>(request: &mut Request<B>, origin: &Authority) -> Result<(), Refusal> {
    check_method(request.method())?;
    check_transfer_encoding(request.headers())?;
    let host = host(request)?;
    let mut parts = request.uri().clone().into_parts();
    match &parts.path_and_query {
        Some(path) => check_path(path, request.method())?,
        None => return Err(bad("The request's target is neither a path nor an absolute URL.")),
    }
    if parts.scheme.as_ref().is_some_and(|scheme| *scheme != Scheme::HTTP) {
        return Err((StatusCode::MISDIRECTED_REQUEST, "This connection serves only http URLs."));
    }
    let authority = match (parts.authority, host) {
        (Some(target), host) => {
            check_authority(&target)
                .map_err(|()| bad("The authority in the request's target is not a host and port."))?;
            if chaining_target(target.as_str()).is_some() {
                return Err(bad("The request's target is another component."));
            }
            // RFC 9112, section 3.2.2: the target replaces the Host field.
            if host.as_ref() != Some(&target) {
                let value =
                    HeaderValue::from_str(target.as_str()).map_err(|_| bad("The request's target is not ASCII."))?;
                request.headers_mut().insert(HOST, value);
            }
            target
        }
        (None, Some(host)) => host,
        (None, None) => origin.clone(),
    };
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| bad("The request's target is not a path."))?;
    Ok(())
}

/// Whether `request` asks about the whole server: `OPTIONS *`, RFC 9110, section 9.3.7.
pub fn is_about_server<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => Ok(()),
        Method::OPTIONS | Method::TRACE => Ok(()),
        // The methods of RFC 9110 and RFC 5789 without CONNECT, which is for proxies.
        _ => Err((StatusCode::NOT_IMPLEMENTED, "This server does not implement the method.")),
    }
}

/// hyper has checked that the last coding is `chunked`, and decodes only that.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err((StatusCode::NOT_IMPLEMENTED, "The only transfer coding that this server implements is chunked.")),
    }
}

/// The authority of the `Host` field: RFC 9112, section 3.2. None if it may be missing and is.
fn host<B>(request: &Request<B>) -> Result<Option<Authority>, Refusal> {
    let mut fields = request.headers().get_all(HOST).iter();
    let Some(field) = fields.next() else {
        return match request.version() {
            Version::HTTP_10 => Ok(None),
            _ => Err(bad("The request has no Host field.")),
        };
    };
    if fields.next().is_some() {
        return Err(bad("The request has more than one Host field."));
    }
    // `OPTIONS *` is about no host in particular.
    if field.is_empty() && is_about_server(request) {
        return Ok(None);
    }
    let authority = Authority::try_from(field.as_bytes()).map_err(|_| ());
    let authority = authority.and_then(|authority| check_authority(&authority).map(|()| authority));
    authority.map(Some).map_err(|()| bad("The Host field is not a host and port."))
}

/// An authority of http has a host, maybe a port, and no user: RFC 9110, sections 4.2.1 and 4.2.4.
fn check_authority(authority: &Authority) -> Result<(), ()> {
    let host = authority.host();
    // A user is before the host.
    let rest = authority.as_str().strip_prefix(host).ok_or(())?;
    let port_is_valid = rest.is_empty() || rest == ":" || authority.port_u16().is_some();
    let has_user = rest.contains('@');
    if host.is_empty() || has_user || !port_is_valid { Err(()) } else { Ok(()) }
}

fn check_path(path: &PathAndQuery, method: &Method) -> Result<(), Refusal> {
    let text = path.as_str();
    if !text.is_ascii() {
        return Err(bad("The request's target has bytes that must be percent-encoded."));
    }
    if text == "*" && method != Method::OPTIONS {
        return Err(bad("The target `*` is only for OPTIONS."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<Request<()>, u16> {
        let request = Request::builder().method(method).uri(uri);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(()).expect("valid for the http crate");
        check(&mut request, &Authority::from_static("127.0.0.1:3000")).map_err(|(status, _)| status.as_u16())?;
        Ok(request)
    }

    #[test]
    fn host_is_one_host_and_port() {
        for host in ["a.example", "a.example:81", "A.EXAMPLE:", "127.0.0.1:1", "[::1]:80", "[::1]"] {
            let request = checked("GET", "/x", &[("host", host)]).unwrap_or_else(|_| panic!("{host}"));
            assert_eq!(request.uri().to_string(), format!("http://{host}/x"));
        }
        for host in
            ["", "a b", "user@a.example", "@a.example", "a.example:abc", ":80", "a.example:99999", "a/b", "a:1:2"]
        {
            assert_eq!(checked("GET", "/", &[("host", host)]).map(drop), Err(400), "{host:?}");
        }
        assert_eq!(checked("GET", "/", &[("host", "a"), ("host", "a")]).map(drop), Err(400));
        assert_eq!(checked("GET", "/", &[]).map(drop), Err(400));
    }

    #[test]
    fn the_target_replaces_host() {
        let request = checked("GET", "http://a.example/x", &[("host", "b.example")]).expect("valid");
        assert_eq!(request.uri(), "http://a.example/x");
        assert_eq!(request.headers()["host"], "a.example");
        assert_eq!(checked("GET", "http://a.example/", &[]).map(drop), Err(400));
        for (uri, status) in [
            ("https://a.example/", 421),
            ("ftp://a.example/", 421),
            ("http://user@a.example/", 400),
            ("http://users.spin.internal/", 400),
            ("a.example:80", 400),
        ] {
            assert_eq!(checked("GET", uri, &[("host", "a.example")]).map(drop), Err(status), "{uri}");
        }
    }

    #[test]
    fn an_old_request_without_host_is_for_this_server() {
        let mut request = Request::get("/x").version(Version::HTTP_10).body(()).expect("valid");
        assert_eq!(check(&mut request, &Authority::from_static("127.0.0.1:3000")), Ok(()));
        assert_eq!(request.uri(), "http://127.0.0.1:3000/x");
    }

    #[test]
    fn only_known_methods_and_chunked() {
        let host = ("host", "a");
        for method in ["GET", "PATCH", "TRACE", "OPTIONS"] {
            assert!(checked(method, "/", &[host]).is_ok(), "{method}");
        }
        for method in ["CONNECT", "BREW", "get", "PROPFIND"] {
            assert_eq!(checked(method, "/", &[host]).map(drop), Err(501), "{method}");
        }
        assert!(checked("PUT", "/", &[host, ("transfer-encoding", "Chunked")]).is_ok());
        for coding in ["gzip, chunked", "chunked, chunked", "identity"] {
            assert_eq!(checked("PUT", "/", &[host, ("transfer-encoding", coding)]).map(drop), Err(501), "{coding}");
        }
        let twice = [host, ("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")];
        assert_eq!(checked("PUT", "/", &twice).map(drop), Err(501));
    }

    #[test]
    fn a_star_is_only_for_options() {
        let request = checked("OPTIONS", "*", &[("host", "")]).expect("valid");
        assert!(is_about_server(&request));
        assert_eq!(checked("GET", "*", &[("host", "a")]).map(drop), Err(400));
    }
}
