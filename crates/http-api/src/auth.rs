//! Bearer tokens (RFC 6750): who may use which routes.
//!
//! There are two. The admin token opens all routes. The API token, if there is one, opens all but the admin routes; if
//! there is none, those are open to every client.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::problem::{Kind, Problem};
use crate::response::product;

/// The token that a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The API token, if one is set, or the admin token.
    Api,
    /// The admin token.
    Admin,
}

/// The tokens that are accepted.
///
/// ```
/// # use axum::{Router, routing::get};
/// # use http_api::{Access, Tokens, no_such_method, no_such_route};
/// # fn router(tokens: Tokens) -> Router {
/// let open = Router::new().route("/api/cache/stats", get(async || "…"));
/// let admin = Router::new().route("/admin/cache/stats", get(async || "…"));
/// tokens
///     .guard(Access::Api, open)
///     .merge(tokens.guard(Access::Admin, admin))
///     .fallback(no_such_route)
///     .method_not_allowed_fallback(no_such_method)
/// # }
/// ```
#[derive(Clone)]
pub struct Tokens {
    api: Option<Fingerprint>,
    admin: Fingerprint,
}

/// The digest of a token. All digests have the same length, so comparing them does not reveal the length of the token.
#[derive(Clone, Copy)]
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Compares in constant time.
    fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl Tokens {
    /// The tokens that are accepted; without `api` the API is open. `None` if one of them cannot be used
    /// ([`is_token`]), or if both are the same: every client would be an administrator.
    pub fn new(api: Option<&str>, admin: &str) -> Option<Self> {
        let usable = is_token(admin) && api.is_none_or(is_token) && api != Some(admin);
        usable.then(|| Self { api: api.map(Fingerprint::of), admin: Fingerprint::of(admin) })
    }

    /// Rejects requests to the routes of `router` without the token that `access` needs. The fallbacks for other paths
    /// and methods need no token.
    ///
    /// # Panics
    /// If `router` has no routes.
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, access: Access, router: Router<S>) -> Router<S> {
        if access == Access::Api && self.api.is_none() {
            return router;
        }
        let tokens = self.clone();
        router.route_layer(from_fn(move |request: Request, next: Next| {
            let checked = tokens.check(access, request.headers());
            async move {
                match checked {
                    Ok(()) => next.run(request).await,
                    Err(problem) => problem.into_response(),
                }
            }
        }))
    }

    /// Whether a request with these header fields has `access`.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] or [`Kind::Forbidden`], with `WWW-Authenticate` (RFC 6750, section 3).
    pub fn check(&self, access: Access, headers: &HeaderMap) -> Result<(), Problem> {
        if access == Access::Api && self.api.is_none() {
            return Ok(());
        }
        let presented = presented(headers)?;
        let is_admin = bool::from(self.admin.matches(&presented));
        let is_api = self.api.as_ref().is_some_and(|api| api.matches(&presented).into());
        match access {
            _ if is_admin => Ok(()),
            Access::Api if is_api => Ok(()),
            Access::Admin if is_api => Err(refused(
                Kind::Forbidden,
                "This route needs the admin token.",
                r#", error="insufficient_scope", scope="admin""#,
            )),
            Access::Api | Access::Admin => Err(invalid("The token is not accepted.")),
        }
    }
}

/// Whether `text` can be sent as a token unchanged. RFC 6750 allows even fewer characters.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn presented(headers: &HeaderMap) -> Result<Fingerprint, Problem> {
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
        Ok(token) if is_token(token) => Ok(Fingerprint::of(token)),
        _ => Err(invalid("The Authorization field must be `Bearer`, a space and the token.")),
    }
}

/// No credentials, or of another scheme: RFC 6750, section 3.1, defines no error code for it.
fn missing() -> Problem {
    let detail = "This route needs a token: send it as `Authorization: Bearer …`.";
    refused(Kind::Unauthorized, detail, "")
}

fn invalid(detail: &str) -> Problem {
    refused(Kind::Unauthorized, detail, r#", error="invalid_token""#)
}

/// A problem with a challenge (RFC 6750, section 3); `error` is appended to its realm.
fn refused(kind: Kind, detail: &str, error: &str) -> Problem {
    let challenge = HeaderValue::try_from(format!(r#"Bearer realm="{}"{error}"#, product()));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
    Problem::new(kind, detail).with_header((WWW_AUTHENTICATE, challenge))
}

#[cfg(test)]
mod tests;
