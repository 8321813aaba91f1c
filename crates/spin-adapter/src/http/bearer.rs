//! Bearer tokens (RFC 6750): who may use which routes.
//!
//! There are two. The admin token opens everything. The API token, when there is one, is needed for the rest; without
//! one the API is open to everybody who reaches it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use problem::{Kind, Problem};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Failure;
use crate::variables::{Variable, VariableError};

/// What a route asks of its callers.
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
/// # use spin_adapter::http::bearer::{Access, Tokens};
/// # use spin_adapter::http::{no_such_method, no_such_route};
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
pub struct Tokens(Arc<Accepted>);

struct Accepted {
    api: Option<Fingerprint>,
    admin: Fingerprint,
}

/// The digest of a token. Digests are of one length, so that comparing them tells nothing about the tokens' lengths
/// either.
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Compares in a time that does not depend on what is compared.
    fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl Tokens {
    /// The tokens of the variables `api_token` (empty: the API is open) and `admin_token`.
    ///
    /// # Errors
    /// The admin token is empty, a token has characters that cannot be sent in a header field, or the two are the same
    /// (which would make everybody an administrator).
    pub fn new(api: Variable, admin: Variable) -> Result<Self, VariableError> {
        const EXPECTED: &str = "a token of visible ASCII characters without spaces";
        let differs = admin.clone();
        let admin = admin.parsed(EXPECTED, |token: &String| is_token(token))?;
        let api = api.parsed(EXPECTED, |token: &String| token.is_empty() || is_token(token))?;
        differs.parsed("another token than api_token", |admin: &String| *admin != api)?;
        let api = (!api.is_empty()).then(|| Fingerprint::of(&api));
        Ok(Self(Arc::new(Accepted { api, admin: Fingerprint::of(&admin) })))
    }

    /// Lets only those requests reach the routes of `router` that may. Paths and methods that it does not have are for
    /// the fallbacks, which need no token.
    ///
    /// # Panics
    /// If `router` has no routes.
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, access: Access, router: Router<S>) -> Router<S> {
        if access == Access::Api && self.0.api.is_none() {
            return router;
        }
        let tokens = self.clone();
        router.route_layer(from_fn(move |request: Request, next: Next| {
            let checked = tokens.check(access, request.headers());
            async move {
                match checked {
                    Ok(()) => next.run(request).await,
                    Err(failure) => failure.into_response(),
                }
            }
        }))
    }

    /// Whether a request with these header fields has `access`.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] or [`Kind::Forbidden`], with `WWW-Authenticate` (RFC 6750, section 3).
    pub fn check(&self, access: Access, headers: &HeaderMap) -> Result<(), Failure> {
        if access == Access::Api && self.0.api.is_none() {
            return Ok(());
        }
        let presented = presented(headers)?;
        let is_admin = bool::from(self.0.admin.matches(&presented));
        let is_api = self.0.api.as_ref().is_some_and(|api| api.matches(&presented).into());
        match access {
            _ if is_admin => Ok(()),
            Access::Api if is_api => Ok(()),
            Access::Admin if is_api => Err(refused(
                Kind::Forbidden,
                "This route needs the admin token.",
                r#"Bearer realm="tumbler", error="insufficient_scope", scope="admin""#,
            )),
            Access::Api | Access::Admin => Err(invalid("The token is not one that is accepted here.")),
        }
    }
}

/// What can be sent as a token without being changed on the way. RFC 6750 would have even fewer characters.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn presented(headers: &HeaderMap) -> Result<Fingerprint, Failure> {
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

/// No credentials, or of another scheme: RFC 6750, section 3.1, has no error code for that.
fn missing() -> Failure {
    let detail = "This route needs a token: send it as `Authorization: Bearer …`.";
    refused(Kind::Unauthorized, detail, r#"Bearer realm="tumbler""#)
}

fn invalid(detail: &str) -> Failure {
    refused(Kind::Unauthorized, detail, r#"Bearer realm="tumbler", error="invalid_token""#)
}

fn refused(kind: Kind, detail: &str, challenge: &'static str) -> Failure {
    Failure::from(Problem::new(kind, detail)).with_field(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

#[cfg(test)]
mod tests;
