//! The component's variables, read at once and turned into typed values.

use std::fmt;
use std::str::FromStr;

use futures_util::future::try_join_all;
use spin_sdk::variables;

/// A variable that cannot be used. It names the variable and never carries its value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableError {
    /// The host has no value for it.
    Missing {
        /// The variable.
        name: &'static str,
        /// The host's reason.
        reason: String,
    },
    /// Its value is not one that the component understands.
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, reason } => write!(f, "the variable {name} has no value: {reason}"),
            Self::Invalid { name, expected } => write!(f, "the variable {name} must be {expected}"),
        }
    }
}

impl std::error::Error for VariableError {}

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

    /// The value as it is.
    ///
    /// # Errors
    /// It is empty; `expected` says what should be there ("the address of …").
    pub fn text(self, expected: &'static str) -> Result<String, VariableError> {
        if self.value.is_empty() {
            return Err(VariableError::Invalid { name: self.name, expected });
        }
        Ok(self.value)
    }

    /// The value as a `T` that fulfils `accept`.
    ///
    /// # Errors
    /// It is not; `expected` says what was ("a whole number of seconds").
    pub fn parsed<T: FromStr>(self, expected: &'static str, accept: impl Fn(&T) -> bool) -> Result<T, VariableError> {
        let invalid = VariableError::Invalid { name: self.name, expected };
        self.value.parse().ok().filter(accept).ok_or(invalid)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_or_told_clearly() {
        let seconds = |value: &str| Variable::new("ttl", value).parsed("a number of seconds", |&ttl: &u64| ttl > 0);
        assert_eq!(seconds("300"), Ok(300));
        for bad in ["0", "-1", "", "5s", " 5"] {
            let error = seconds(bad).unwrap_err();
            assert_eq!(error.to_string(), "the variable ttl must be a number of seconds", "{bad:?}");
        }
        assert!(Variable::new("url", "").text("an address").is_err());
    }
}
