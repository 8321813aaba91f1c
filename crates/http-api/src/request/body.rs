//! Bodies as bytes: sent as JSON, and read up to a limit.

use std::pin::pin;

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;

use crate::problem::{FieldError, Kind, Problem};
use crate::response::APPLICATION_JSON;

/// Why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError<E> {
    /// It has more bytes than allowed. The rest was not read.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke before its end.
    #[error("the body is incomplete: {0}")]
    Broken(E),
}

/// No content coding: compressed bodies are refused, because a small one may become very large.
const IDENTITY: &str = "identity";

/// The body of `request`, if it is sent as plain JSON and has at most `max` bytes.
///
/// # Errors
/// [`Kind::InvalidParameter`] for a `PUT` of a part (`Content-Range`; RFC 9110, section 14.5);
/// [`Kind::UnsupportedMediaType`], with header fields that say what is accepted (section 15.5.16);
/// [`Kind::ContentTooLarge`]; [`Kind::MalformedJson`] if the body is incomplete.
pub async fn read_body(request: Request, max: usize) -> Result<Bytes, Problem> {
    check_fields(request.method(), request.headers())?;
    collect_limited(request.into_body(), max).await.map_err(|error| match error {
        BodyError::TooLarge => {
            Problem::new(Kind::ContentTooLarge, format!("The request body has more than {} KiB.", max / 1024))
                .with_extension("limitBytes", max)
        }
        BodyError::Broken(error) => {
            tracing::info!(%error, "a request body could not be read");
            Problem::new(Kind::MalformedJson, "The request body could not be read to its end.")
        }
    })
}

/// The whole of a body, if it has at most `max` bytes. A body that declares more is not read.
///
/// The bytes are copied into one buffer, because the buffer of a chunk may be much larger than the chunk: the SDK reads
/// each chunk, however small it is, into 16 KiB of its own. A body sent byte by byte would take 16,384 times its
/// length.
///
/// # Errors
/// See [`BodyError`].
pub async fn collect_limited<B: HttpBody<Data = Bytes>>(body: B, max: usize) -> Result<Bytes, BodyError<B::Error>> {
    let declared = body.size_hint().upper();
    if declared.is_some_and(|length| length > max as u64) {
        return Err(BodyError::TooLarge);
    }
    let max_capacity = declared.map_or(max, |length| length as usize);
    let mut body = pin!(body);
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers are ignored.
        let Ok(chunk) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        let length = collected.len() + chunk.len();
        if length > max {
            return Err(BodyError::TooLarge);
        }
        if length > collected.capacity() {
            // Doubles the capacity, so that bytes are moved rarely, but not beyond the largest possible body.
            let capacity = (2 * collected.capacity()).min(max_capacity).max(length);
            collected.reserve_exact(capacity - collected.len());
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.into())
}

/// What the header says about the body.
fn check_fields(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method == Method::PUT && headers.contains_key(CONTENT_RANGE) {
        let error = FieldError::field("content-range", "is not supported: send the members themselves");
        return Err(Problem::parameters(vec![error]));
    }
    let (is_json, is_plain) = (is_json(headers), is_plain(headers));
    if is_json && is_plain {
        return Ok(());
    }
    let detail = format!("The request body must be sent as {APPLICATION_JSON}, and not compressed.");
    let mut problem = Problem::new(Kind::UnsupportedMediaType, detail);
    let mut errors = Vec::new();
    if !is_json {
        errors.push(FieldError::field("content-type", format!("must be {APPLICATION_JSON}")));
        problem = problem.with_header((accepting_field(method), HeaderValue::from_static(APPLICATION_JSON)));
    }
    if !is_plain {
        errors.push(FieldError::field("content-encoding", format!("must be absent or {IDENTITY}")));
        problem = problem.with_header((ACCEPT_ENCODING, HeaderValue::from_static(IDENTITY)));
    }
    Err(problem.with_errors(errors))
}

/// Whether the body has no content coding (RFC 9110, section 8.4).
fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    codings
        .all(|coding| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(IDENTITY.as_bytes()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(APPLICATION_JSON)
}

/// `Accept-Post` (Linked Data Platform 1.0), `Accept-Patch` (RFC 5789), or `Accept`.
fn accepting_field(method: &Method) -> HeaderName {
    match *method {
        Method::POST => HeaderName::from_static("accept-post"),
        Method::PATCH => HeaderName::from_static("accept-patch"),
        _ => ACCEPT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::IntoResponse;
    use futures_util::FutureExt;
    use futures_util::stream::iter;

    fn read(method: Method, content_type: Option<&str>, body: Vec<u8>) -> Result<Bytes, Problem> {
        let mut request = Request::builder().method(method);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body)).unwrap();
        read_body(request, 8).now_or_never().expect("the body is complete")
    }

    fn collect(body: Body) -> Result<Bytes, BodyError<String>> {
        let collected = collect_limited(body, 8).now_or_never().expect("the body is complete");
        collected.map_err(|error| match error {
            BodyError::TooLarge => BodyError::TooLarge,
            BodyError::Broken(error) => BodyError::Broken(error.to_string()),
        })
    }

    /// A body of unknown length.
    fn chunks(chunks: Vec<Result<&'static str, &'static str>>) -> Body {
        Body::from_stream(iter(chunks))
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        for accepted in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            assert_eq!(read(Method::POST, Some(accepted), b"{}".to_vec()).unwrap(), "{}", "{accepted}");
        }
        for refused in [None, Some("text/json"), Some("application/jsonp"), Some("")] {
            let problem = read(Method::PATCH, refused, b"{}".to_vec()).unwrap_err();
            let response = problem.into_response();
            assert_eq!(response.status(), 415);
            assert_eq!(response.headers()["accept-patch"], "application/json");
        }
    }

    #[test]
    fn compressed_bodies_are_refused_with_what_is_accepted() {
        let read = |codings: &[&str], content_type: &str| {
            let mut request = Request::builder().method(Method::PUT).header(CONTENT_TYPE, content_type);
            for coding in codings {
                request = request.header(CONTENT_ENCODING, *coding);
            }
            read_body(request.body(Body::from("{}")).unwrap(), 8).now_or_never().expect("the body is complete")
        };
        for plain in [&[][..], &["identity"], &["Identity, identity"], &["", "identity"]] {
            assert_eq!(read(plain, APPLICATION_JSON).unwrap(), "{}", "{plain:?}");
        }
        for compressed in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "x"], &["gzip, gzip"]] {
            let problem = read(compressed, APPLICATION_JSON).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (415, vec!["content-encoding"]));
            let response = problem.into_response();
            assert_eq!(response.headers()["accept-encoding"], "identity", "{compressed:?}");
            assert!(!response.headers().contains_key("accept"), "the media type is accepted");
        }
        let problem = read(&["gzip"], "text/plain").unwrap_err();
        assert_eq!(problem.wrong_fields(), ["content-type", "content-encoding"]);
        assert_eq!(problem.into_response().headers()["accept"], "application/json");
    }

    #[test]
    fn a_put_of_a_part_is_refused() {
        for (method, status) in [(Method::PUT, Some(400)), (Method::PATCH, None), (Method::POST, None)] {
            let request = Request::builder().method(method).header(CONTENT_TYPE, APPLICATION_JSON);
            let request = request.header(CONTENT_RANGE, "bytes 0-1/2").body(Body::from("{}")).unwrap();
            let outcome = read_body(request, 8).now_or_never().expect("the body is complete");
            assert_eq!(outcome.err().map(|problem| problem.status().as_u16()), status);
        }
    }

    #[test]
    fn a_body_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
        assert_eq!(read(Method::POST, Some("application/json"), vec![b' '; 8]).unwrap().len(), 8);
        let problem = read(Method::POST, Some("application/json"), vec![b' '; 9]).unwrap_err();
        assert_eq!(problem.status(), 413);

        assert_eq!(collect(Body::from("12345678")), Ok(Bytes::from("12345678")));
        assert_eq!(collect(Body::from("123456789")), Err(BodyError::TooLarge));
        assert_eq!(collect(Body::empty()), Ok(Bytes::new()));
        assert_eq!(collect(chunks(vec![Ok("123"), Ok(""), Ok("4"), Ok("5678")])), Ok(Bytes::from("12345678")));
        // Chunks after the limit are not read.
        assert_eq!(collect(chunks(vec![Ok("1234"), Ok("56789"), Err("broken")])), Err(BodyError::TooLarge));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error() {
        assert_eq!(collect(chunks(vec![Ok("1234"), Err("broken")])), Err(BodyError::Broken("broken".into())));
    }
}
