//! JSON Web Tokens (RFC 7519) as bearer tokens: which signatures and claims are accepted.
//!
//! Three algorithms, each with its own kind of key: HS256 with the secret, RS256 with an RSA public key, EdDSA with an
//! Ed25519 public key. The key decides; the `alg` of a token only selects among the keys that are configured. So nobody
//! can sign with HS256 and the text of the public key, or send a token without a signature.

mod keys;
mod verified;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;

use self::keys::Key;
use self::verified::VerifiedTokens;
use super::bearer::{self, invalid};
use super::caller::Caller;
use crate::problem::Problem;
use crate::request::json::present;
use crate::request::validation::row_id;

/// The longest token that is read, in bytes. Real ones have a few hundred.
const MAX_BYTES: usize = 8 * 1024;
/// How far the clocks of this machine and the signer's may be apart, in seconds.
const LEEWAY_S: u64 = 5;

/// What a [`JwtVerifier`] accepts. It needs `secret`, `public_key` or both.
#[derive(Clone, Default)]
pub struct JwtSettings {
    /// The secret of HS256: at least 32 bytes (RFC 7518, section 3.2).
    pub secret: Option<String>,
    /// The public key of RS256 or EdDSA: PEM of a SubjectPublicKeyInfo (`BEGIN PUBLIC KEY`) with an RSA key of 2048 to
    /// 4096 bits (RFC 7518, section 3.3) or an Ed25519 key. `\n` in two characters is a line end, too.
    pub public_key: Option<String>,
    /// The only accepted `iss`; `None`: any, or none.
    pub issuer: Option<String>,
    /// What `aud` must be or contain; `None`: `aud` is not checked.
    pub audience: Option<String>,
}

/// Settings that cannot be used. It says what is expected and never contains a value, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtKeyError {
    /// There is no key.
    #[error("JSON Web Tokens need a secret or a public key")]
    Missing,
    /// The secret is too short.
    #[error("the secret of JSON Web Tokens must have at least 32 bytes")]
    Secret,
    /// The public key is not PEM, of another kind, or too weak.
    #[error(
        "the public key of JSON Web Tokens must be PEM (BEGIN PUBLIC KEY) of an RSA key of 2048 to 4096 bits or of an \
         Ed25519 key"
    )]
    PublicKey,
}

/// Checks the JSON Web Tokens of requests. It is cheap to clone.
///
/// ```
/// # use axum::{Router, routing::get};
/// # use http_api::{Caller, JwtSettings, JwtVerifier, no_such_method, no_such_route};
/// # fn router(secret: String) -> Result<Router, http_api::JwtKeyError> {
/// let verifier = JwtVerifier::new(JwtSettings { secret: Some(secret), ..JwtSettings::default() })?;
/// let whoami = async |caller: Caller| caller.user_id.to_string();
/// let router = verifier.guard(Router::new().route("/whoami", get(whoami)));
/// Ok(router.fallback(no_such_route).method_not_allowed_fallback(no_such_method))
/// # }
/// ```
#[derive(Clone)]
pub struct JwtVerifier(Arc<Inner>);

struct Inner {
    keys: Vec<(Key, Validation)>,
    verified: VerifiedTokens,
}

/// What is read of the claims (RFC 7519, section 4), besides what [`Validation`] checks.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since the Unix epoch, possibly with a fraction (RFC 7519, section 2).
    exp: f64,
    /// [`Validation`] compares it, but also accepts an array.
    #[serde(default, rename = "iss", deserialize_with = "present")]
    _iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    roles: Option<Vec<String>>,
}

impl JwtVerifier {
    /// A verifier with these keys and rules.
    ///
    /// # Errors
    /// There is no key, or one that cannot be used.
    pub fn new(settings: JwtSettings) -> Result<Self, JwtKeyError> {
        let secret = settings.secret.as_deref().map(Key::of_secret).transpose()?;
        let public = settings.public_key.as_deref().map(Key::of_pem).transpose()?;
        let keys = secret.into_iter().chain(public);
        let keys: Vec<_> = keys
            .map(|key| {
                let validation = settings.validation(&key);
                (key, validation)
            })
            .collect();
        if keys.is_empty() {
            Err(JwtKeyError::Missing)
        } else {
            Ok(Self(Arc::new(Inner { keys, verified: VerifiedTokens::default() })))
        }
    }

    /// Rejects requests to the routes of `router` without a valid token, and lets their handlers extract the
    /// [`Caller`]. The fallbacks for other paths and methods need no token.
    ///
    /// # Panics
    /// If `router` has no routes.
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        let verifier = self.clone();
        bearer::guard(router, move |request: &mut Request| {
            let caller = verifier.verify(request.headers())?;
            request.extensions_mut().insert(caller);
            Ok(())
        })
    }

    /// The user who sends a request with these header fields.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`](crate::Kind::Unauthorized) with `WWW-Authenticate` (RFC 6750, section 3).
    pub fn verify(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer::presented(headers)?;
        self.caller(token).map_err(|refusal| invalid(refusal.detail()))
    }

    fn caller(&self, token: &str) -> Result<Caller, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::NotAccepted);
        }
        if let Some(caller) = self.0.verified.get(token, get_current_timestamp()) {
            return Ok(caller);
        }
        let Claims { sub, exp, roles, .. } = self.claims(token)?;
        let user_id = row_id(&sub).map_err(|_| Refusal::NotAccepted)?;
        let caller = Caller::new(user_id, roles.unwrap_or_default());
        // A conversion from a float saturates.
        self.0.verified.insert(token, caller.clone(), (exp as u64).saturating_add(LEEWAY_S));
        Ok(caller)
    }

    fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let header = decode_header(token)?;
        // `crit` lists extensions that the recipient must understand (RFC 7515, section 4.1.11). We know none.
        if header.crit.is_some() {
            return Err(Refusal::NotAccepted);
        }
        let (key, validation) =
            self.0.keys.iter().find(|(key, _)| key.algorithm == header.alg).ok_or(Refusal::NotAccepted)?;
        Ok(decode(token, &key.key, validation)?.claims)
    }
}

impl JwtSettings {
    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        let mut required = vec!["exp"];
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.validate_aud = self.audience.is_some();
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// Why a token is refused. The client learns only what helps an honest one.
#[derive(Clone, Copy)]
enum Refusal {
    Expired,
    NotYetValid,
    NotAccepted,
}

impl Refusal {
    fn detail(self) -> &'static str {
        match self {
            Self::Expired => "The token has expired.",
            Self::NotYetValid => "The token is not yet valid.",
            Self::NotAccepted => "The token is not accepted.",
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Refusal {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            _ => Self::NotAccepted,
        }
    }
}

#[cfg(test)]
mod tests;
