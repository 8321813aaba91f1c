//! Conditional requests (RFC 9110, section 13): what `If-Match` and `If-None-Match` allow.
//!
//! `If-Match` is evaluated first, then `If-None-Match` (section 13.2.2), for every method. The other conditions do not
//! apply: no response has `Last-Modified`, and no route knows `Range`.

mod etag;
mod tags;
mod versions;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::problem::{FieldError, Kind, Problem};
use crate::response::json_bytes;
use tags::{Comparison, Tags};

pub use etag::ETag;
pub use versions::Versions;

/// The extractor of `If-Match` and `If-None-Match`. A handler either reads and calls [`Preconditions::respond`], or
/// changes something and calls [`Preconditions::check`] (or gives [`Preconditions::versions`] to its SQL statement) in
/// one atomic step with the change.
///
/// A malformed `If-Match` is a problem (400). So is a malformed `If-None-Match` with a method that may change
/// something. With `GET` and `HEAD` it matches nothing, and the client gets the whole representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Tags,
    if_none_match: Tags,
}

impl Preconditions {
    /// Whether the request has neither field. Then all conditions hold, and the handler need not read the resource.
    pub fn is_empty(&self) -> bool {
        self.if_match == Tags::Absent && self.if_none_match == Tags::Absent
    }

    /// Whether the resource may be changed. `current` is the tag that `GET` would show; `None`: there is no current
    /// representation.
    ///
    /// # Errors
    /// [`Kind::PreconditionFailed`], which names the field.
    pub fn check(&self, current: Option<&ETag>) -> Result<(), Problem> {
        self.check_if_match(current)?;
        if self.if_none_match.name(current, Comparison::Weak) {
            return Err(failed(IF_NONE_MATCH, "names the current representation"));
        }
        Ok(())
    }

    /// The response to `GET` and `HEAD`: 304 if the client has the representation with this tag, else 200 with `json`;
    /// both with the tag.
    ///
    /// # Errors
    /// [`Kind::PreconditionFailed`], if `If-Match` does not name the tag.
    pub fn respond(&self, tag: &ETag, json: impl Into<Bytes>) -> Result<Response, Problem> {
        self.respond_with(tag, || json_bytes(StatusCode::OK, json))
    }

    /// As [`Self::respond`], with any response instead of JSON.
    ///
    /// # Errors
    /// As there.
    pub fn respond_with(&self, tag: &ETag, response: impl FnOnce() -> Response) -> Result<Response, Problem> {
        self.check_if_match(Some(tag))?;
        if self.if_none_match.name(Some(tag), Comparison::Weak) {
            return Ok((StatusCode::NOT_MODIFIED, [tag.field()]).into_response());
        }
        Ok(([tag.field()], response()).into_response())
    }

    fn check_if_match(&self, current: Option<&ETag>) -> Result<(), Problem> {
        if self.if_match == Tags::Absent || self.if_match.name(current, Comparison::Strong) {
            return Ok(());
        }
        Err(failed(IF_MATCH, "does not name the current representation"))
    }
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(if_match) = Tags::read(&parts.headers, IF_MATCH) else { return Err(malformed(IF_MATCH)) };
        let if_none_match = match Tags::read(&parts.headers, IF_NONE_MATCH) {
            Some(tags) => tags,
            None if matches!(parts.method, Method::GET | Method::HEAD) => Tags::Absent,
            None => return Err(malformed(IF_NONE_MATCH)),
        };
        Ok(Self { if_match, if_none_match })
    }
}

/// The problem of a condition that does not hold. An SQL statement that was given [`Versions`] does not say which one.
pub fn precondition_failed() -> Problem {
    Problem::new(
        Kind::PreconditionFailed,
        "If-Match or If-None-Match does not allow this request: read the resource again, then decide.",
    )
}

fn failed(field: HeaderName, detail: &str) -> Problem {
    precondition_failed().with_errors(vec![FieldError::field(field.as_str(), detail)])
}

fn malformed(field: HeaderName) -> Problem {
    let detail = "must be * or a list of entity tags in quotes";
    Problem::parameters(vec![FieldError::field(field.as_str(), detail)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::HttpBody;
    use axum::http::Request;
    use futures_util::FutureExt;

    /// The conditions of a request with these fields.
    pub(super) fn conditions(
        method: &str,
        if_match: Option<&str>,
        if_none_match: Option<&str>,
    ) -> Result<Preconditions, Problem> {
        let mut request = Request::builder().method(method);
        for (name, value) in [(IF_MATCH, if_match), (IF_NONE_MATCH, if_none_match)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Preconditions::from_request_parts(&mut parts, &()).now_or_never().expect("it waits for nothing")
    }

    /// RFC 9110, sections 13.1 and 13.2.2: what the fields say about a change of the version 3, and of a resource that
    /// does not exist.
    #[test]
    fn changes_happen_only_if_both_conditions_hold() {
        for (if_match, if_none_match, existing, absent) in [
            (None, None, Ok(()), Ok(())),
            (Some("*"), None, Ok(()), Err("if-match")),
            (Some("\"3\""), None, Ok(()), Err("if-match")),
            (Some("\"2\", \"3\""), None, Ok(()), Err("if-match")),
            (Some("W/\"3\""), None, Err("if-match"), Err("if-match")),
            (Some("\"2\""), None, Err("if-match"), Err("if-match")),
            (Some(""), None, Err("if-match"), Err("if-match")),
            (None, Some("*"), Err("if-none-match"), Ok(())),
            (None, Some("\"3\""), Err("if-none-match"), Ok(())),
            (None, Some("W/\"3\""), Err("if-none-match"), Ok(())),
            (None, Some("\"2\""), Ok(()), Ok(())),
            (None, Some(""), Ok(()), Ok(())),
            // If-Match comes first.
            (Some("\"2\""), Some("\"3\""), Err("if-match"), Err("if-match")),
            (Some("\"3\""), Some("\"3\""), Err("if-none-match"), Err("if-match")),
            (Some("\"3\""), Some("\"2\""), Ok(()), Err("if-match")),
            (Some("*"), Some("*"), Err("if-none-match"), Err("if-match")),
        ] {
            let conditions = conditions("PUT", if_match, if_none_match).unwrap();
            let check = |current: Option<&ETag>| {
                conditions.check(current).map_err(|problem| {
                    assert_eq!(problem.status(), 412);
                    problem.wrong_fields()[0].to_owned()
                })
            };
            let expected = |expected: Result<(), &str>| expected.map_err(str::to_owned);
            assert_eq!(check(Some(&ETag::of_version(3))), expected(existing), "{if_match:?} {if_none_match:?}");
            assert_eq!(check(None), expected(absent), "{if_match:?} {if_none_match:?}");
            assert_eq!(conditions.is_empty(), if_match.is_none() && if_none_match.is_none());
        }
    }

    #[test]
    fn reads_are_answered_with_200_304_or_412() {
        let tag = ETag::of_version(3);
        for (if_match, if_none_match, status, length) in [
            (None, None, 200, 2),
            (Some("*"), None, 200, 2),
            (Some("\"3\""), None, 200, 2),
            (None, Some("\"2\""), 200, 2),
            (None, Some("\"3\""), 304, 0),
            (None, Some("W/\"3\""), 304, 0),
            (None, Some("*"), 304, 0),
            (Some("\"3\""), Some("\"3\""), 304, 0),
        ] {
            for method in ["GET", "HEAD"] {
                let response = conditions(method, if_match, if_none_match).unwrap().respond(&tag, "{}").unwrap();
                assert_eq!((response.status().as_u16(), response.body().size_hint().exact()), (status, Some(length)));
                assert_eq!(response.headers()["etag"], "\"3\"");
            }
        }
        for (if_match, if_none_match) in [("\"2\"", None), ("W/\"3\"", None), ("\"2\"", Some("\"3\"")), ("", None)] {
            let problem = conditions("GET", Some(if_match), if_none_match).unwrap().respond(&tag, "{}").unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (412, vec!["if-match"]));
        }
    }

    #[test]
    fn a_malformed_field_is_named_where_ignoring_it_could_do_harm() {
        let wrong = |method, if_match, if_none_match| {
            let problem = conditions(method, if_match, if_none_match).err()?;
            assert_eq!(problem.status(), 400);
            Some(problem.wrong_fields()[0].to_owned())
        };
        for method in ["GET", "HEAD"] {
            assert_eq!(wrong(method, Some("3"), None).as_deref(), Some("if-match"));
            let ignored = conditions(method, None, Some("3")).unwrap();
            assert_eq!(ignored.respond(&ETag::of_version(3), "{}").unwrap().status(), 200);
        }
        for method in ["PUT", "PATCH", "DELETE", "POST"] {
            assert_eq!(wrong(method, Some("3"), Some("3")).as_deref(), Some("if-match"));
            assert_eq!(wrong(method, None, Some("\"3")).as_deref(), Some("if-none-match"));
        }
    }
}
