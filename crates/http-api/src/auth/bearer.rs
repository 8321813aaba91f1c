//! What all bearer tokens share: the field that carries them, and the challenges of the refusals (RFC 6750).

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;

use crate::handler::note_route;
use crate::problem::{Kind, Problem};
use crate::response::product;

/// Whether `text` can be sent as a token unchanged. RFC 6750 allows even fewer characters.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The token that a request presents in `Authorization: Bearer …`.
///
/// # Errors
/// [`Kind::Unauthorized`] with a challenge: there is no such field, there are several, or its value is no token.
pub fn presented(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Err(missing()) };
    if fields.next().is_some() {
        return Err(invalid("There is more than one Authorization field."));
    }
    let credentials = field.as_bytes();
    let end = credentials.iter().position(|&byte| byte == b' ').unwrap_or(credentials.len());
    let (scheme, token) = credentials.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(missing());
    }
    match str::from_utf8(token).map(str::trim) {
        Ok(token) if is_token(token) => Ok(token),
        _ => Err(invalid("The Authorization field must be `Bearer`, a space and the token.")),
    }
}

/// Rejects requests to the routes of `router` that `check` refuses. The fallbacks for other paths and methods are not
/// checked.
///
/// # Panics
/// If `router` has no routes.
pub fn guard<S, F>(router: Router<S>, check: F) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(&mut Request) -> Result<(), Problem> + Clone + Send + Sync + 'static,
{
    router.route_layer(from_fn(move |mut request: Request, next: Next| {
        note_route(&request);
        let checked = check(&mut request);
        async move {
            match checked {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        }
    }))
}

/// No credentials, or of another scheme: RFC 6750, section 3.1, defines no error code for it.
fn missing() -> Problem {
    let detail = "This route needs a token: send it as `Authorization: Bearer …`.";
    refused(Kind::Unauthorized, detail, "")
}

/// A token that is not accepted.
pub fn invalid(detail: &str) -> Problem {
    refused(Kind::Unauthorized, detail, r#", error="invalid_token""#)
}

/// A valid token whose owner may not do this; an administrator may.
pub fn needs_admin(detail: &str) -> Problem {
    refused(Kind::Forbidden, detail, r#", error="insufficient_scope", scope="admin""#)
}

/// A problem with a challenge (RFC 6750, section 3); `error` is appended to its realm.
fn refused(kind: Kind, detail: &str, error: &str) -> Problem {
    let challenge = HeaderValue::try_from(format!(r#"Bearer realm="{}"{error}"#, product()));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
    Problem::new(kind, detail).with_header((WWW_AUTHENTICATE, challenge))
}
