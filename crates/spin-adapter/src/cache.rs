//! Reads the settings of the cache of rows from variables, and turns failed writes into problems.

use http_api::{Kind, Problem};
use versioned_cache::{Settings, StatementError, WriteError, WritePolicy};

use crate::postgres::DatabaseError;
use crate::variables::{Variable, VariableError};

/// A year: longer TTLs are probably mistakes.
const TTL_MAX_S: u64 = 365 * 24 * 60 * 60;

/// The settings from the variables `cache_enabled`, `cache_timeout_ms`, `cache_write_policy` and `cache_verify_ratio`.
///
/// # Errors
/// The first one that is not valid.
pub fn settings(
    enabled: Variable,
    timeout_ms: Variable,
    policy: Variable,
    verify: Variable,
) -> Result<Settings, VariableError> {
    Ok(Settings {
        enabled: enabled.parsed("true or false", |_| true)?,
        timeout_ms: timeout_ms.milliseconds()?,
        write_policy: write_policy(policy)?,
        verify_ratio: verify_ratio(verify)?,
        ..Settings::default()
    })
}

/// A TTL in seconds; 0: not cached.
///
/// # Errors
/// It is not a number, or longer than a year.
pub fn ttl(variable: Variable) -> Result<u64, VariableError> {
    variable.parsed("a whole number of seconds from 0 (not cached) to 31536000", |&s| s <= TTL_MAX_S)
}

/// The part of the hits that is compared with the source.
///
/// # Errors
/// It is not a number from 0 to 1.
pub fn verify_ratio(variable: Variable) -> Result<f64, VariableError> {
    variable.parsed("a number from 0 (no checks) to 1 (every hit)", |ratio| (0.0..=1.0).contains(ratio))
}

fn write_policy(variable: Variable) -> Result<WritePolicy, VariableError> {
    let policy: String = variable
        .parsed("available or consistent", |policy: &String| ["available", "consistent"].contains(&policy.as_str()))?;
    Ok(if policy == "consistent" { WritePolicy::Consistent } else { WritePolicy::Available })
}

/// The problem of a failed write. `statement` makes the problem of a failed statement.
pub fn write_problem<E>(error: WriteError<E>, statement: impl FnOnce(E) -> Problem) -> Problem {
    match error {
        WriteError::Statement(error) => statement(error),
        WriteError::CacheUnavailable => Problem::new(
            Kind::Unavailable,
            "The cache is unavailable, and the service is configured to reject writes then: nothing was changed.",
        ),
    }
}

impl StatementError for DatabaseError {
    fn may_still_commit(&self) -> bool {
        DatabaseError::may_still_commit(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_in_full() {
        let policy = |value: &str| write_policy(Variable::new("cache_write_policy", value)).ok();
        assert_eq!(policy("available"), Some(WritePolicy::Available));
        assert_eq!(policy("consistent"), Some(WritePolicy::Consistent));
        assert_eq!(policy("Consistent"), None);
    }

    #[test]
    fn ratios_are_bounded() {
        let ratio = |value: &str| verify_ratio(Variable::new("cache_verify_ratio", value)).ok();
        assert_eq!(["0", "0.001", "1", "1e-3"].map(ratio), [Some(0.0), Some(0.001), Some(1.0), Some(0.001)]);
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "10%"] {
            assert_eq!(ratio(bad), None, "{bad}");
        }
    }

    #[test]
    fn ttls_are_bounded() {
        let seconds = |value: &str| ttl(Variable::new("cache_ttl_users_list", value)).ok();
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("31536000"), Some(TTL_MAX_S));
        for bad in ["31536001", "-1", "5m", ""] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
