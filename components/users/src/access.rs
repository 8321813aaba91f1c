//! Who may use the routes: the variable `users_access`.

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http_api::{Caller, JwtVerifier, Problem, Tokens};
use spin_adapter::variables::{self, VariableError};
use spin_adapter::{Service, UsersAccess};

/// Who may use the routes.
pub enum Access {
    /// Everybody, for everything.
    Open,
    /// Programs with one of these tokens, for everything.
    Token(Tokens),
    /// Users with a JSON Web Token. They read all users, and change and delete themselves. Administrators may do
    /// everything.
    Jwt(JwtVerifier),
}

impl Access {
    /// Builds it from the component's variables. Reads only those that the value of `users_access` needs.
    ///
    /// # Errors
    /// The first variable that is missing or not valid; an empty `api_token` if `users_access` is `token`.
    pub async fn from_variables(service: &Service) -> Result<Self, VariableError> {
        let [access] = variables::read(["users_access"]).await?;
        Ok(match UsersAccess::of(access)? {
            UsersAccess::Open => Self::Open,
            UsersAccess::Token => {
                let [api, admin] = variables::read(["api_token", "admin_token"]).await?;
                let tokens = variables::required_tokens(api, admin, "a token, because users_access is token")?;
                service.identify_by_tokens(&tokens);
                Self::Token(tokens)
            }
            UsersAccess::Jwt => {
                let names = ["jwt_secret", "jwt_public_key", "jwt_issuer", "jwt_audience"];
                let [secret, public_key, issuer, audience] = variables::read(names).await?;
                let verifier = variables::jwt_verifier(secret, public_key, issuer, audience)?;
                service.identify_by_jwt(&verifier);
                Self::Jwt(verifier)
            }
        })
    }

    /// Rejects requests to the routes of `router` without the token that they need.
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        match self {
            Self::Open => router,
            Self::Token(tokens) => tokens.guard(http_api::Access::Api, router),
            Self::Jwt(verifier) => verifier.guard(router),
        }
    }

    /// Who sends a request. `None`: the user is not known, and everybody who passes the guard may do everything.
    ///
    /// # Errors
    /// The routes have no guard.
    pub async fn caller(&self, parts: &mut Parts) -> Result<Option<Caller>, Problem> {
        match self {
            Self::Open | Self::Token(_) => Ok(None),
            Self::Jwt(_) => Caller::from_request_parts(parts, &()).await.map(Some),
        }
    }
}
