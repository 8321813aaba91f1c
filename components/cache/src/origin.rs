//! Where values come from that the cache does not have: a server that is asked for them, or, without one, a function
//! for demonstrations.

use axum::http::{StatusCode, Uri};
use ports::Runtime;
use serde_json::json;
use serde_json::value::RawValue;
use spin_adapter::SpinRuntime;
use spin_adapter::http::client::{Client, FetchError, Fetched};
use spin_adapter::variables::{Variable, VariableError};

use crate::input::VALUE_MAX;
use crate::key::Key;
use crate::one_key::MEDIA_TYPE;

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Nobody: a value is made up.
    Demo,
    /// A server.
    Server {
        /// An http or https URL without a slash at the end; keys follow after a slash.
        base: String,
        /// Asks it.
        client: Client,
    },
}

/// Why the origin gave no value. Nothing in it tells where the origin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// It took too long.
    TimedOut,
    /// It did not take the request.
    Unreachable,
    /// What it answered is no value: in words that follow "The origin".
    Unusable(&'static str),
}

impl Origin {
    /// The origin of the variable `cache_origin_url` (if that is empty: none), which has `timeout_ms` for an answer.
    ///
    /// # Errors
    /// It is not an http or https URL that a key can be appended to.
    pub fn from_variable(url: Variable, timeout_ms: u64) -> Result<Self, VariableError> {
        const EXPECTED: &str = "empty, or an http or https URL without user, query and fragment";
        let url: String = url.parsed(EXPECTED, |url: &String| url.is_empty() || is_base(url))?;
        if url.is_empty() {
            return Ok(Self::Demo);
        }
        let client = Client { accept: MEDIA_TYPE, timeout_ms, body_max: VALUE_MAX };
        Ok(Self::Server { base: url.trim_end_matches('/').to_owned(), client })
    }

    /// The value of a key, JSON of at most 512 KiB; `None` if there is none.
    ///
    /// # Errors
    /// The origin did not answer, or not as it should.
    pub async fn fetch(&self, key: &Key) -> Result<Option<Vec<u8>>, OriginError> {
        match self {
            Self::Demo => Ok(Some(demonstration(key, SpinRuntime.unix_ms()))),
            Self::Server { .. } if leads_elsewhere(key) => Ok(None),
            Self::Server { base, client } => {
                let uri = format!("{base}/{}", key.to_path_segment()).parse().expect("a base and a segment are a URL");
                value(client.get(uri).await)
            }
        }
    }
}

fn is_base(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    is_http && is_plain && !url.contains(['?', '#'])
}

/// The value in the origin's answer: the text of its JSON, without the white space around it.
fn value(answer: Result<Fetched, FetchError>) -> Result<Option<Vec<u8>>, OriginError> {
    let Fetched { status, body, .. } = answer.map_err(|error| {
        eprintln!("the origin gave no answer: {error}");
        match error {
            FetchError::TimedOut => OriginError::TimedOut,
            FetchError::TooLarge => OriginError::Unusable("answered more than a value may have"),
            FetchError::Denied(_) | FetchError::Unreachable(_) => OriginError::Unreachable,
        }
    })?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        eprintln!("the origin answered {status}");
        return Err(OriginError::Unusable("answered neither a value nor that there is none"));
    }
    match serde_json::from_slice::<&RawValue>(&body) {
        Ok(value) => Ok(Some(value.get().as_bytes().to_vec())),
        Err(_) => Err(OriginError::Unusable("answered something that is not JSON")),
    }
}

/// Whether a server (or something before it) could take the key for another path than one below the origin: `.` and
/// `..` mean something in paths even when they are percent-encoded.
fn leads_elsewhere(key: &Key) -> bool {
    key.as_str().split(['/', '\\']).any(|segment| segment == "." || segment == "..")
}

/// What there is under a key without an origin.
fn demonstration(key: &Key, unix_ms: u64) -> Vec<u8> {
    json!({ "demo": format!("value-for-{}", key.as_str()), "generatedAt": unix_ms }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base of the origin that the variable stands for, empty without one; `None` if it is refused.
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
    fn values_are_json_and_nothing_else() {
        let of = |status: StatusCode, body: &'static [u8]| {
            value(Ok(Fetched { status, content_type: None, body: body.into() }))
        };
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
    fn no_answer_is_told_by_its_reason() {
        assert_eq!(value(Err(FetchError::TimedOut)), Err(OriginError::TimedOut));
        for error in [FetchError::Denied("a.b".into()), FetchError::Unreachable("refused".into())] {
            assert_eq!(value(Err(error)), Err(OriginError::Unreachable));
        }
        assert!(matches!(value(Err(FetchError::TooLarge)), Err(OriginError::Unusable(_))));
    }

    #[test]
    fn keys_cannot_climb_out_of_the_origin() {
        let leads = |key: &str| leads_elsewhere(&Key::new(key.to_owned()).unwrap());
        for key in ["..", ".", "a/../b", "../..", "a\\..\\b", "a/.", "./a"] {
            assert!(leads(key), "{key}");
        }
        for key in ["a..b", "...", "a/b", "v1.2", "..:a", "%2E%2E"] {
            assert!(!leads(key), "{key}");
        }
    }

    #[test]
    fn demonstrations_name_the_key() {
        assert_eq!(
            demonstration(&Key::new("a\"b".into()).unwrap(), 1_795_219_200_000),
            br#"{"demo":"value-for-a\"b","generatedAt":1795219200000}"#
        );
    }
}
