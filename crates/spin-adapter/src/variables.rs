//! The component's variables, read concurrently and parsed.

use std::str::FromStr;

use futures_util::future::try_join_all;
use http_api::{JwtKeyError, JwtSettings, JwtVerifier, Tokens, is_token};
use spin_sdk::variables;

/// A variable that cannot be used. It holds the variable's name and never its value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The host has no value for it.
    #[error("the variable {name} has no value: {reason}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// The host's reason.
        reason: String,
    },
    /// Its value is not valid.
    #[error("the variable {name} must be {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// A variable and its value.
#[derive(Clone)]
pub struct Variable {
    name: &'static str,
    value: String,
}

impl Variable {
    /// A variable of this name and value.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }

    /// The value, which may be empty.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    /// The error of a value that is not what is `expected`.
    pub(crate) fn invalid(&self, expected: &'static str) -> VariableError {
        VariableError::Invalid { name: self.name, expected }
    }

    /// The value as it is.
    ///
    /// # Errors
    /// It is empty; `expected` says what it must be ("the address of …").
    pub fn text(self, expected: &'static str) -> Result<String, VariableError> {
        if self.value.is_empty() {
            return Err(VariableError::Invalid { name: self.name, expected });
        }
        Ok(self.value)
    }

    /// The value as a `T` that `accept` accepts.
    ///
    /// # Errors
    /// It is no such `T`; `expected` says what it must be ("a whole number of seconds").
    pub fn parsed<T: FromStr>(self, expected: &'static str, accept: impl Fn(&T) -> bool) -> Result<T, VariableError> {
        let invalid = VariableError::Invalid { name: self.name, expected };
        self.value.parse().ok().filter(accept).ok_or(invalid)
    }

    /// The value as a time limit: 1 to 10,000 milliseconds.
    ///
    /// # Errors
    /// It is not such a number.
    pub fn milliseconds(self) -> Result<u64, VariableError> {
        self.parsed("a whole number of milliseconds from 1 to 10000", |ms| (1..=10_000).contains(ms))
    }
}

/// Reads all of `names`, concurrently, in their order.
///
/// # Errors
/// The first one that has no value.
pub async fn read<const N: usize>(names: [&'static str; N]) -> Result<[Variable; N], VariableError> {
    let variables = try_join_all(names.map(|name| async move {
        let value = variables::get(name).await;
        value
            .map(|value| Variable::new(name, value))
            .map_err(|error| VariableError::Missing { name, reason: error.to_string() })
    }))
    .await?;
    Ok(variables.try_into().unwrap_or_else(|_| unreachable!("one variable for each name")))
}

/// The value of a variable that the manifest need not have; `None`: it has none, or no variable can have this name.
///
/// # Errors
/// The host cannot tell, because the provider of the variables fails.
pub async fn find(name: &str) -> Result<Option<String>, variables::Error> {
    match variables::get(name).await {
        Ok(value) => Ok(Some(value)),
        Err(variables::Error::Undefined(_) | variables::Error::InvalidName(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tokens of the variables `api` (empty: the API is open) and `admin`.
///
/// # Errors
/// One of them is not a token, or both are the same.
pub fn tokens(api: Variable, admin: Variable) -> Result<Tokens, VariableError> {
    const TOKEN: &str = "a token of visible ASCII characters without spaces";
    let same = VariableError::Invalid { name: admin.name, expected: "a token that no other variable has" };
    let admin: String = admin.parsed(TOKEN, |token: &String| is_token(token))?;
    let api: String = api.parsed(TOKEN, |token: &String| token.is_empty() || is_token(token))?;
    Tokens::new(Some(api.as_str()).filter(|token| !token.is_empty()), &admin).ok_or(same)
}

/// As [`tokens`], for routes that need a token: `api` may not be empty. `expected` says what it must be.
///
/// # Errors
/// As [`tokens`]; there is no API token.
pub fn required_tokens(api: Variable, admin: Variable, expected: &'static str) -> Result<Tokens, VariableError> {
    if api.value.is_empty() { Err(api.invalid(expected)) } else { tokens(api, admin) }
}

/// The verifier of JSON Web Tokens with the keys and rules of these variables. An empty one is not set; `secret` or
/// `public_key` must be.
///
/// # Errors
/// There is no key, or one that cannot be used.
pub fn jwt_verifier(
    secret: Variable,
    public_key: Variable,
    issuer: Variable,
    audience: Variable,
) -> Result<JwtVerifier, VariableError> {
    let unusable_secret = VariableError::Invalid {
        name: secret.name,
        expected: "a secret of at least 32 bytes, or empty if jwt_public_key is set",
    };
    let unusable_public_key = VariableError::Invalid {
        name: public_key.name,
        expected: "a public key in PEM (BEGIN PUBLIC KEY), RSA of 2048 to 4096 bits or Ed25519, or empty if jwt_secret is \
                   set",
    };
    let set = |variable: Variable| Some(variable.value).filter(|value| !value.is_empty());
    let settings =
        JwtSettings { secret: set(secret), public_key: set(public_key), issuer: set(issuer), audience: set(audience) };
    JwtVerifier::new(settings).map_err(|error| match error {
        JwtKeyError::Missing | JwtKeyError::Secret => unusable_secret,
        JwtKeyError::PublicKey => unusable_public_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_or_rejected_by_name() {
        let seconds = |value: &str| Variable::new("ttl", value).parsed("a number of seconds", |&ttl: &u64| ttl > 0);
        assert_eq!(seconds("300"), Ok(300));
        for bad in ["0", "-1", "", "5s", " 5"] {
            let error = seconds(bad).unwrap_err();
            assert_eq!(error.to_string(), "the variable ttl must be a number of seconds", "{bad:?}");
        }
        assert!(Variable::new("url", "").text("an address").is_err());
        let limit = |value: &str| Variable::new("timeout", value).milliseconds().ok();
        assert_eq!(["0", "1", "10000", "10001"].map(limit), [None, Some(1), Some(10_000), None]);
    }

    #[test]
    fn bad_tokens_are_reported_by_name_and_never_with_the_token() {
        for (api, admin, expected) in [
            ("", "", "the variable admin_token must be a token of visible ASCII characters without spaces"),
            ("", "s3cret\n", "the variable admin_token must be a token of visible ASCII characters without spaces"),
            ("", "gehëim", "the variable admin_token must be a token of visible ASCII characters without spaces"),
            (" ", "s3cret", "the variable api_token must be a token of visible ASCII characters without spaces"),
            ("s3cret", "s3cret", "the variable admin_token must be a token that no other variable has"),
        ] {
            let tokens = tokens(Variable::new("api_token", api), Variable::new("admin_token", admin));
            assert_eq!(tokens.err().unwrap().to_string(), expected);
        }
        let variables = |api: &str| (Variable::new("api_token", api), Variable::new("admin_token", "s3cret"));
        let (api, admin) = variables("");
        assert!(tokens(api.clone(), admin.clone()).is_ok());
        let error = required_tokens(api, admin, "a token, because …").err().unwrap();
        assert_eq!(error.to_string(), "the variable api_token must be a token, because …");
        let (api, admin) = variables("other");
        assert!(required_tokens(api, admin, "a token").is_ok());
    }

    #[test]
    fn unusable_keys_of_json_web_tokens_are_reported_by_name_and_never_with_the_key() {
        const SECRET: &str =
            "the variable jwt_secret must be a secret of at least 32 bytes, or empty if jwt_public_key is set";
        const PUBLIC_KEY: &str = "the variable jwt_public_key must be a public key in PEM (BEGIN PUBLIC KEY), RSA of 2048 to \
                                  4096 bits or Ed25519, or empty if jwt_secret is set";
        let usable = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n\
                      -----END PUBLIC KEY-----\\n";
        let long = "x".repeat(32);
        for (secret, public_key, expected) in [
            ("", "", Some(SECRET)),
            (&long[1..], "", Some(SECRET)),
            (&long[1..], usable, Some(SECRET)),
            ("", "no PEM", Some(PUBLIC_KEY)),
            (&long, "no PEM", Some(PUBLIC_KEY)),
            (&long, "", None),
            ("", usable, None),
            (&long, usable, None),
        ] {
            let variables =
                [("jwt_secret", secret), ("jwt_public_key", public_key), ("jwt_issuer", ""), ("jwt_audience", "")];
            let [secret, public_key, issuer, audience] = variables.map(|(name, value)| Variable::new(name, value));
            let error = jwt_verifier(secret, public_key, issuer, audience).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected);
        }
    }
}
