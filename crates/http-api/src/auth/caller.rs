//! The user who sends a request, as their token says, and what they may do.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::bearer::needs_admin;
use crate::problem::{Kind, Problem};

/// The roles of administrators.
const ADMIN_ROLES: [&str; 2] = ["admin", "super_admin"];

/// The user who sends the request. An extractor for routes behind [`JwtVerifier::guard`](crate::JwtVerifier::guard); on
/// other routes it responds with [`Problem::internal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The id of the user's row.
    pub user_id: i64,
    roles: Vec<String>,
}

impl Caller {
    pub(super) fn new(user_id: i64, roles: Vec<String>) -> Self {
        Self { user_id, roles }
    }

    /// Whether the caller has the role `admin` or `super_admin`.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| ADMIN_ROLES.contains(&role.as_str()))
    }

    /// Accepts administrators.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden) with `WWW-Authenticate`.
    pub fn require_admin(&self) -> Result<(), Problem> {
        if self.is_admin() { Ok(()) } else { Err(needs_admin("This route needs an administrator.")) }
    }

    /// Accepts only the user `user_id`. An administrator is refused, too.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden).
    pub fn require_self(&self, user_id: i64) -> Result<(), Problem> {
        if self.user_id == user_id {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "This route needs the owner."))
    }

    /// Accepts the user `user_id` and administrators.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden) with `WWW-Authenticate`.
    pub fn require_self_or_admin(&self, user_id: i64) -> Result<(), Problem> {
        if self.user_id == user_id || self.is_admin() {
            return Ok(());
        }
        Err(needs_admin("This route needs the owner or an administrator."))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal("a route that needs the caller has no JwtVerifier::guard"))
    }
}

/// The caller, who is an administrator. Put it before the extractor of the body: then others get 403 whatever they
/// send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin(pub Caller);

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require_admin()?;
        Ok(Self(caller))
    }
}
