//! Static tokens: secrets that the operator sets and gives to programs.
//!
//! There are two. The admin token opens all routes. The API token, if there is one, opens all but the admin routes; if
//! there is none, those are open to every client.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::bearer::{self, invalid, is_token, needs_admin};
use crate::problem::Problem;

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
        bearer::guard(router, move |request: &mut Request| tokens.check(access, request.headers()))
    }

    /// Whether a request with these header fields has `access`.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`](crate::Kind) or [`Kind::Forbidden`](crate::Kind), with `WWW-Authenticate` (RFC 6750,
    /// section 3).
    pub fn check(&self, access: Access, headers: &HeaderMap) -> Result<(), Problem> {
        if access == Access::Api && self.api.is_none() {
            return Ok(());
        }
        match (self.access_of(bearer::presented(headers)?), access) {
            (Some(Access::Admin), _) | (Some(Access::Api), Access::Api) => Ok(()),
            (Some(Access::Api), Access::Admin) => Err(needs_admin("This route needs the admin token.")),
            (None, _) => Err(invalid("The token is not accepted.")),
        }
    }

    /// Which token a request with these header fields has: the API token or the admin token. `None`: neither.
    pub fn holder(&self, headers: &HeaderMap) -> Option<Access> {
        self.access_of(bearer::presented(headers).ok()?)
    }

    fn access_of(&self, presented: &str) -> Option<Access> {
        let presented = Fingerprint::of(presented);
        let is_admin = bool::from(self.admin.matches(&presented));
        let is_api = self.api.as_ref().is_some_and(|api| api.matches(&presented).into());
        match (is_admin, is_api) {
            (true, _) => Some(Access::Admin),
            (false, true) => Some(Access::Api),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests;
