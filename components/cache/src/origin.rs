//! The source of values that are not cached: the origin server, or generated demo values if none is configured.

use axum::http::{StatusCode, Uri};
use http_api::{APPLICATION_JSON, path};
use ports::Runtime;
use serde_json::json;
use serde_json::value::RawValue;
use spin_adapter::SpinRuntime;
use spin_adapter::http_client::{Client, FetchError, Fetched};
use spin_adapter::variables::{Variable, VariableError};

use crate::described::Described;
use crate::key::Key;
use crate::kv::VALUE_MAX;

/// The source of values.
#[derive(Clone, Debug)]
pub enum Origin {
    /// There is no server: demo values are generated.
    Demo,
    /// A server.
    Server {
        /// An http or https URL without a slash at the end. A slash and the key are appended.
        base: String,
        /// The client for it.
        client: Client,
    },
}

/// Why the origin gave no value. It never holds the origin's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// There was no complete response in time.
    TimedOut,
    /// There was no response, or the connection broke before its end.
    Unreachable,
    /// The response is not a value. The text follows "The response of the origin".
    Unusable(&'static str),
}

impl Origin {
    /// The origin of the variable `cache_origin_url`; [`Self::Demo`] if that is empty. A response may take
    /// `timeout_ms`.
    ///
    /// # Errors
    /// It is not an http or https URL to which a key can be appended.
    pub fn from_variable(url: Variable, timeout_ms: u64) -> Result<Self, VariableError> {
        const EXPECTED: &str = "empty, or an http or https URL without user, query and fragment";
        let url: String = url.parsed(EXPECTED, |url: &String| url.is_empty() || is_base_url(url))?;
        if url.is_empty() {
            return Ok(Self::Demo);
        }
        let client = Client { accept: APPLICATION_JSON, timeout_ms, body_max: VALUE_MAX };
        Ok(Self::Server { base: url.trim_end_matches('/').to_owned(), client })
    }

    /// Whether there is a server. Demo values differ each time, so they cannot be checked.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// The value of a key, JSON of at most 512 KiB; `None` if there is none.
    ///
    /// # Errors
    /// The origin did not answer, or its response is not a value.
    pub async fn fetch(&self, key: &Key) -> Result<Option<Vec<u8>>, OriginError> {
        match self {
            Self::Demo => Ok(Some(demo_value(key, SpinRuntime.unix_ms()))),
            Self::Server { .. } if has_dot_segment(key) => Ok(None),
            Self::Server { base, client } => fetch(base, &path::encode(key.as_str()), client).await,
        }
    }

    /// The value of a described entry, as [`Self::fetch`]. Without a server there is none.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_described(&self, entry: &Described) -> Result<Option<Vec<u8>>, OriginError> {
        match self {
            Self::Demo => Ok(None),
            Self::Server { base, client } => fetch(base, &entry.origin_target(), client).await,
        }
    }
}

/// The value at `target`, which is percent-encoded.
async fn fetch(base: &str, target: &str, client: &Client) -> Result<Option<Vec<u8>>, OriginError> {
    let uri = format!("{base}/{target}");
    value_in(client.get(uri.parse().expect("a base and a target are a URL")).await)
}

fn is_base_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    is_http && is_plain && !url.contains(['?', '#'])
}

/// The JSON of a response, without the white space around it.
fn value_in(response: Result<Fetched, FetchError>) -> Result<Option<Vec<u8>>, OriginError> {
    let Fetched { status, body } = response.map_err(|error| {
        tracing::warn!(%error, "no response from the origin");
        match error {
            FetchError::TimedOut => OriginError::TimedOut,
            FetchError::TooLarge => OriginError::Unusable("is larger than a value may be"),
            FetchError::Denied(_) | FetchError::Unreachable(_) | FetchError::Broken(_) => OriginError::Unreachable,
        }
    })?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        tracing::warn!(%status, "the origin answered with an error");
        return Err(OriginError::Unusable("has a status other than 2xx and 404"));
    }
    match serde_json::from_slice::<&RawValue>(&body) {
        Ok(value) => Ok(Some(value.get().as_bytes().to_vec())),
        Err(_) => Err(OriginError::Unusable("is not JSON")),
    }
}

/// Whether a server or a proxy could resolve the key to a path outside the origin: some resolve `.` and `..` even if
/// they are percent-encoded.
fn has_dot_segment(key: &Key) -> bool {
    key.as_str().split(['/', '\\']).any(|segment| segment == "." || segment == "..")
}

/// The value of a key when there is no origin.
fn demo_value(key: &Key, unix_ms: u64) -> Vec<u8> {
    json!({ "demo": format!("value-for-{}", key.as_str()), "generatedAt": unix_ms }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base of the origin, empty if the variable is; `None` if the variable is rejected.
    fn base(url: &str) -> Option<String> {
        match Origin::from_variable(Variable::new("cache_origin_url", url), 500).ok()? {
            Origin::Demo => Some(String::new()),
            Origin::Server { base, .. } => Some(base),
        }
    }

    #[test]
    fn an_origin_is_an_http_url() {
        assert_eq!(base("").as_deref(), Some(""));
        assert_eq!(base("http://127.0.0.1:8080").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(base("https://example.org/api/v1/").as_deref(), Some("https://example.org/api/v1"));
        assert_eq!(base("http://[::1]:80/").as_deref(), Some("http://[::1]:80"));
        for bad in ["example.org", "/path", "ftp://a.b", "http://", " ", "http://a b"] {
            assert_eq!(base(bad), None, "{bad}");
        }
        for bad in ["http://a?b=c", "http://a#b", "http://a?", "http://u:p@a"] {
            assert_eq!(base(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_json_is_a_value() {
        let of = |status, body: &'static [u8]| value_in(Ok(Fetched { status, body: body.into() }));
        let ok = |body| of(StatusCode::OK, body).unwrap().unwrap();
        assert_eq!(ok(b" {\"a\": 1.0}\n"), b"{\"a\": 1.0}");
        assert_eq!(ok(b"null"), b"null");
        for bad in [&b""[..], b"hello", b"{} {}", b"<html>", b"\"\xff\"", b"{\"a\":}"] {
            assert!(of(StatusCode::OK, bad).is_err(), "{bad:?}");
        }
        assert_eq!(of(StatusCode::NOT_FOUND, b"<html>"), Ok(None));
        for status in [StatusCode::FOUND, StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR] {
            assert!(matches!(of(status, b"{}"), Err(OriginError::Unusable(_))), "{status}");
        }
    }

    #[test]
    fn missing_responses_have_a_reason() {
        assert_eq!(value_in(Err(FetchError::TimedOut)), Err(OriginError::TimedOut));
        for error in [FetchError::Denied("a.b".into()), FetchError::Unreachable("refused".into())] {
            assert_eq!(value_in(Err(error)), Err(OriginError::Unreachable));
        }
        assert!(matches!(value_in(Err(FetchError::TooLarge)), Err(OriginError::Unusable(_))));
    }

    #[test]
    fn keys_cannot_lead_out_of_the_origins_path() {
        let is_refused = |key: &str| has_dot_segment(&Key::new(key.to_owned()).unwrap());
        for key in ["..", ".", "a/../b", "../..", "a\\..\\b", "a/.", "./a"] {
            assert!(is_refused(key), "{key}");
        }
        for key in ["a..b", "...", "a/b", "v1.2", "..:a", "%2E%2E"] {
            assert!(!is_refused(key), "{key}");
        }
    }

    #[test]
    fn demo_values_name_the_key() {
        assert_eq!(
            demo_value(&Key::new("a\"b".into()).unwrap(), 1_795_219_200_000),
            br#"{"demo":"value-for-a\"b","generatedAt":1795219200000}"#
        );
    }
}
