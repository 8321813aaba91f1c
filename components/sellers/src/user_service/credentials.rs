//! The field `Authorization` of the requests to the users service. The variable `users_access` says what the service
//! needs.
//!
//! Without `user_service_token`, only the component `users` of this application gets credentials, by service chaining.
//! So no other server gets the API token or the tokens of users if somebody changes the address.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use http_api::{Problem, Shared, is_token};
use spin_adapter::UsersAccess;
use spin_adapter::variables::{Variable, VariableError};

use crate::app::App;

/// The end of the host names of components (service chaining).
const CHAINED: &str = ".spin.internal";

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// This value.
    Own(HeaderValue),
    /// What the client has sent to this service: its JSON Web Token.
    OfTheClient,
}

impl Credentials {
    /// The credentials for the service at `url`. `own` is the variable `user_service_token`, `api` is `api_token`.
    ///
    /// # Errors
    /// A token that is not valid; an empty API token if the service needs it.
    pub fn from_variables(url: &Uri, access: UsersAccess, own: Variable, api: Variable) -> Result<Self, VariableError> {
        const OWN: &str = "empty, or a token of visible ASCII characters without spaces";
        let own: String = own.parsed(OWN, |token: &String| token.is_empty() || is_token(token))?;
        // One label: the host calls no component for `a.users.spin.internal`, but looks it up in the DNS.
        let component = url.host().and_then(|host| host.strip_suffix(CHAINED));
        let is_chained = component.is_some_and(|id| !id.is_empty() && !id.contains('.'));
        Ok(match access {
            _ if !own.is_empty() => Self::bearer(&own),
            UsersAccess::Token if is_chained => {
                const API: &str = "a token, because users_access is token";
                let api: String = api.parsed(API, |token: &String| is_token(token))?;
                Self::bearer(&api)
            }
            UsersAccess::Jwt if is_chained => Self::OfTheClient,
            _ => Self::None,
        })
    }

    /// `token` satisfies [`is_token`], so it is a valid value of a header field.
    fn bearer(token: &str) -> Self {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        value.map_or(Self::None, |mut value| {
            value.set_sensitive(true);
            Self::Own(value)
        })
    }

    /// The value for a request to the users service. `headers` are those of the client's request that causes it.
    fn value(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Own(value) => Some(value.clone()),
            Self::OfTheClient => headers.get(AUTHORIZATION).cloned(),
        }
    }
}

/// The extractor of the `Authorization` for the users service: all requests to it that this request causes have it.
pub struct Authorization(pub Option<HeaderValue>);

impl FromRequestParts<Shared<App>> for Authorization {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared<App>) -> Result<Self, Problem> {
        Ok(Self(app.users.credentials.value(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAINED_URL: &str = "http://users.spin.internal";

    fn credentials(url: &str, access: UsersAccess, own: &str, api: &str) -> Result<Credentials, String> {
        let [own, api] =
            [("user_service_token", own), ("api_token", api)].map(|(name, value)| Variable::new(name, value));
        Credentials::from_variables(&url.parse().unwrap(), access, own, api).map_err(|error| error.to_string())
    }

    #[test]
    fn the_component_users_gets_what_it_asks_for() {
        let of = |access| credentials(CHAINED_URL, access, "", "s3cret").unwrap();
        assert_eq!(of(UsersAccess::Open), Credentials::None);
        assert_eq!(of(UsersAccess::Token), Credentials::Own(HeaderValue::from_static("Bearer s3cret")));
        assert_eq!(of(UsersAccess::Jwt), Credentials::OfTheClient);
    }

    #[test]
    fn another_server_gets_only_its_own_token() {
        for url in [
            "http://users.example",
            "http://users.spin.internal.example",
            "http://a.users.spin.internal",
            "https://10.0.0.1/users.spin.internal",
        ] {
            for access in [UsersAccess::Open, UsersAccess::Token, UsersAccess::Jwt] {
                assert_eq!(credentials(url, access, "", "s3cret"), Ok(Credentials::None), "{url}");
                let own = credentials(url, access, "0wn", "s3cret");
                assert_eq!(own, Ok(Credentials::Own(HeaderValue::from_static("Bearer 0wn"))), "{url}");
            }
        }
    }

    #[test]
    fn a_token_that_is_missing_or_not_valid_is_reported_by_name() {
        let missing = "the variable api_token must be a token, because users_access is token";
        assert_eq!(credentials(CHAINED_URL, UsersAccess::Token, "", ""), Err(missing.to_owned()));
        let invalid = credentials(CHAINED_URL, UsersAccess::Open, "two words", "").unwrap_err();
        assert!(invalid.starts_with("the variable user_service_token must be empty, or a token"), "{invalid}");
    }

    #[test]
    fn the_clients_token_is_passed_on_only_if_the_service_asks_for_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(Credentials::OfTheClient.value(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        assert_eq!(Credentials::OfTheClient.value(&headers), Some(HeaderValue::from_static("Bearer a.b.c")));
        assert_eq!(Credentials::None.value(&headers), None);
    }
}
