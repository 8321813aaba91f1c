//! Request bodies: of an accepted media type, up to a limit.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method};
use problem::{FieldError, Kind, Problem};

use super::Failure;
use super::gather::{Ungathered, gather};

/// The whole body, when its media type is `accepted` (a single one, in lower case, without parameters) and it has at
/// most `limit` bytes.
///
/// # Errors
/// [`Kind::UnsupportedMediaType`] with a header field that tells what is accepted (RFC 9110, section 15.5.16);
/// [`Kind::ContentTooLarge`]; [`Kind::MalformedJson`] when the client broke off.
pub async fn read_body(request: Request, accepted: &'static str, limit: usize) -> Result<Bytes, Failure> {
    if !is_of_type(&request, accepted) {
        let detail = format!("The request body must be sent as {accepted}.");
        let error = FieldError::field("content-type", format!("must be {accepted}"));
        let problem = Problem::new(Kind::UnsupportedMediaType, detail).with_errors(vec![error]);
        let field = accepting_field(request.method());
        return Err(Failure::from(problem).with_field(field, HeaderValue::from_static(accepted)));
    }
    match gather(request.into_body(), limit).await {
        Ok(body) => Ok(body),
        Err(Ungathered::TooLarge) => Err(too_large(limit)),
        Err(Ungathered::Broken(error)) => {
            eprintln!("a request body broke off: {error}");
            Err(Problem::new(Kind::MalformedJson, "The request body could not be read to its end.").into())
        }
    }
}

fn too_large(limit: usize) -> Failure {
    Problem::new(Kind::ContentTooLarge, format!("The request body has more than {} KiB.", limit / 1024))
        .with_extension("limitBytes", limit)
        .into()
}

fn is_of_type(request: &Request, accepted: &str) -> bool {
    let mut values = request.headers().get_all(CONTENT_TYPE).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(accepted)
}

/// `Accept-Post` (Linked Data Platform 1.0), `Accept-Patch` (RFC 5789), or the plain `Accept`.
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

    fn read(method: Method, content_type: Option<&str>, body: Vec<u8>) -> Result<Bytes, Failure> {
        let mut request = Request::builder().method(method);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body)).unwrap();
        read_body(request, "application/json", 8).now_or_never().expect("the body is there already")
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        for accepted in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            assert_eq!(read(Method::POST, Some(accepted), b"{}".to_vec()).unwrap(), "{}", "{accepted}");
        }
        for refused in [None, Some("text/json"), Some("application/jsonp"), Some("")] {
            let failure = read(Method::PATCH, refused, b"{}".to_vec()).unwrap_err();
            let response = failure.into_response();
            assert_eq!(response.status(), 415);
            assert_eq!(response.headers()["accept-patch"], "application/json");
        }
    }

    #[test]
    fn a_body_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
        assert_eq!(read(Method::POST, Some("application/json"), vec![b' '; 8]).unwrap().len(), 8);
        let failure = read(Method::POST, Some("application/json"), vec![b' '; 9]).unwrap_err();
        assert_eq!(failure.problem().status(), 413);
    }
}
