//! The client of the users service, another service that is called over HTTP.

mod credentials;
mod user;

use axum::http::{StatusCode, Uri};
use ports::{CircuitBreaker, Runtime};
use spin_adapter::http_client::{Client, FetchError, Fetched};
use spin_adapter::variables::{Variable, VariableError};
use spin_adapter::{SpinRuntime, UsersAccess};

pub use credentials::Authorization;
pub use user::User;

use credentials::Credentials;

/// How long an instance does not call the service after a failure, in milliseconds.
const CIRCUIT_OPEN_MS: u64 = 3_000;
/// How long the health check may take, in milliseconds.
const HEALTH_TIMEOUT_MS: u64 = 3_000;
/// Bytes of a response, at most: a hundred users of the largest size.
const RESPONSE_MAX: usize = 8 * 1024 * 1024;

/// Why the service did not say whether a user exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserServiceError {
    /// There is no connection, or no response in time; or that was so a short time ago, and the circuit is open.
    #[error("the users service is unavailable: {0}")]
    Unavailable(String),
    /// Its response cannot be used.
    #[error("the users service gave an unusable response: {0}")]
    Unusable(String),
}

/// Whether the service responds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// It responded, and not with a server error.
    pub is_up: bool,
    /// How long that took.
    pub latency_ms: u64,
}

/// The client, which the requests of an instance share.
pub struct UserService {
    /// Without a slash at the end.
    url: String,
    timeout_ms: u64,
    credentials: Credentials,
    circuit: CircuitBreaker,
}

impl UserService {
    /// The service at this URL, which asks for what `access` says. A request waits at most `timeout_ms` for the
    /// response. `own` and `api` are tokens: see [`Credentials::from_variables`].
    ///
    /// # Errors
    /// `url` is not an http or https URL; those of [`Credentials::from_variables`].
    pub fn from_variables(
        url: Variable,
        timeout_ms: u64,
        access: UsersAccess,
        own: Variable,
        api: Variable,
    ) -> Result<Self, VariableError> {
        let is_url = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
        let url: Uri = url.parsed("an http or https URL without a query", is_url)?;
        let credentials = Credentials::from_variables(&url, access, own, api)?;
        let url = url.to_string().trim_end_matches('/').to_owned();
        Ok(Self { url, timeout_ms, credentials, circuit: CircuitBreaker::default() })
    }

    /// The user, whether active or not; `None`: there is no such user.
    ///
    /// # Errors
    /// See [`UserServiceError`].
    pub async fn get_user_by_id(&self, id: i64, credentials: Authorization) -> Result<Option<User>, UserServiceError> {
        let response = self.get(&format!("/users/{id}"), credentials).await?;
        match response.status {
            StatusCode::OK => match User::of_response(&response.body) {
                Some(user) if user.id == id => Ok(Some(user)),
                _ => Err(UserServiceError::Unusable(format!("the response about user {id} is not this user"))),
            },
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(unexpected(status)),
        }
    }

    /// Those of `ids` that exist, with one request. `ids` are at most 100.
    ///
    /// # Errors
    /// See [`UserServiceError`].
    pub async fn get_users_by_ids(
        &self,
        ids: &[i64],
        credentials: Authorization,
    ) -> Result<Vec<User>, UserServiceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        let response = self.get(&format!("/users?ids={}", ids.join(",")), credentials).await?;
        match response.status {
            StatusCode::OK => User::list_of_response(&response.body)
                .ok_or_else(|| UserServiceError::Unusable("the response is not a list of users".to_owned())),
            status => Err(unexpected(status)),
        }
    }

    /// Asks for one user, whoever it is, also while the circuit is open.
    pub async fn health_check(&self, credentials: Authorization) -> Health {
        let start_ms = SpinRuntime.monotonic_ms();
        let response = self.fetch("/users?limit=1", HEALTH_TIMEOUT_MS, credentials).await;
        let is_up = response.is_ok_and(|response| !response.status.is_server_error());
        Health { is_up, latency_ms: SpinRuntime.monotonic_ms() - start_ms }
    }

    /// Asks the service unless the circuit is open. After an outage one request at a time tries again.
    async fn get(&self, path: &str, credentials: Authorization) -> Result<Fetched, UserServiceError> {
        if !self.circuit.allows(SpinRuntime.monotonic_ms(), self.timeout_ms) {
            return Err(UserServiceError::Unavailable("the circuit is open".to_owned()));
        }
        self.fetch(path, self.timeout_ms, credentials).await
    }

    async fn fetch(
        &self,
        path: &str,
        timeout_ms: u64,
        Authorization(value): Authorization,
    ) -> Result<Fetched, UserServiceError> {
        let uri: Uri = format!("{}{path}", self.url).parse().map_err(|_| unusable("the URL is not valid"))?;
        let client = Client { accept: "application/json", timeout_ms, body_max: RESPONSE_MAX };
        let outcome = client.get_authorized(uri, value).await;
        match &outcome {
            Err(reason @ (FetchError::Unreachable(_) | FetchError::TimedOut)) => {
                if self.circuit.open(SpinRuntime.monotonic_ms() + CIRCUIT_OPEN_MS) {
                    tracing::warn!(%reason, "the users service is unavailable");
                }
            }
            _ => {
                if self.circuit.close() {
                    tracing::info!("the users service is available again");
                }
            }
        }
        outcome.map_err(|error| match error {
            FetchError::Unreachable(_) | FetchError::TimedOut => UserServiceError::Unavailable(error.to_string()),
            FetchError::Denied(_) | FetchError::Broken(_) | FetchError::TooLarge => {
                UserServiceError::Unusable(error.to_string())
            }
        })
    }
}

fn unusable(why: &str) -> UserServiceError {
    UserServiceError::Unusable(why.to_owned())
}

fn unexpected(status: StatusCode) -> UserServiceError {
    UserServiceError::Unusable(format!("the status {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_has_no_slash_at_the_end() {
        let service = |url: &str| {
            let [url, own, api] = [("user_service_url", url), ("user_service_token", ""), ("api_token", "")]
                .map(|(name, value)| Variable::new(name, value));
            UserService::from_variables(url, 5_000, UsersAccess::Open, own, api)
        };
        for (url, expected) in [
            ("http://users.spin.internal", "http://users.spin.internal"),
            ("https://a.example/api/", "https://a.example/api"),
        ] {
            assert_eq!(service(url).ok().map(|service| service.url).as_deref(), Some(expected));
        }
        for bad in ["", "users", "/users", "ftp://a.example", "http://a.example?x=1"] {
            assert!(service(bad).is_err(), "{bad}");
        }
    }
}
