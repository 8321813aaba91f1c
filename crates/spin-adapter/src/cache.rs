//! Reads the settings of the cache of rows from variables, and turns failed writes into problems.

use http_api::{Kind, Problem};
use versioned_cache::{Settings, StatementError, WriteError, WritePolicy};

use crate::postgres::DatabaseError;
use crate::variables::{self, Variable, VariableError};

/// A year: longer TTLs are probably mistakes.
const TTL_MAX_S: u64 = 365 * 24 * 60 * 60;

/// The settings from the variables `cache_enabled`, `cache_timeout_ms`, `cache_write_policy` and `cache_verify_ratio`,
/// and from those of [`with_source_settings`].
///
/// # Errors
/// The first one that is not valid.
pub async fn settings(
    enabled: Variable,
    timeout_ms: Variable,
    policy: Variable,
    verify: Variable,
) -> Result<Settings, VariableError> {
    let settings = Settings {
        enabled: enabled.parsed("true or false", |_| true)?,
        timeout_ms: timeout_ms.milliseconds()?,
        write_policy: write_policy(policy)?,
        verify_ratio: verify_ratio(verify)?,
        ..Settings::default()
    };
    with_source_settings(settings).await
}

/// These settings with those that say how the cache treats a source that is down, slow or asked often, and large
/// values: from the variables `cache_grace_s`, `cache_soft_timeout_ms`, `cache_refresh_ahead` and
/// `cache_compress_min_bytes`, which this reads.
///
/// # Errors
/// The first one that is missing or not valid.
pub async fn with_source_settings(settings: Settings) -> Result<Settings, VariableError> {
    let [grace, soft_timeout, refresh_ahead, compress] =
        variables::read(["cache_grace_s", "cache_soft_timeout_ms", "cache_refresh_ahead", "cache_compress_min_bytes"])
            .await?;
    Ok(Settings {
        grace_ms: 1_000 * grace_s(grace)?,
        soft_timeout_ms: soft_timeout_ms(soft_timeout)?,
        refresh_ahead: beta(refresh_ahead)?,
        compress_min_bytes: compress.parsed("a whole number of bytes; 0: no value is compressed", |_| true)?,
        ..settings
    })
}

fn grace_s(variable: Variable) -> Result<u64, VariableError> {
    variable.parsed("a whole number of seconds from 0 (no grace) to 31536000", |&s| s <= TTL_MAX_S)
}

fn soft_timeout_ms(variable: Variable) -> Result<u64, VariableError> {
    variable.parsed("a whole number of milliseconds from 0 (no soft timeout) to 10000", |&ms| ms <= 10_000)
}

/// The beta of XFetch. Larger ones would refresh an entry after almost every hit.
fn beta(variable: Variable) -> Result<f64, VariableError> {
    variable.parsed("a number from 0 (no refresh) to 1000", |beta| (0.0..=1_000.0).contains(beta))
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
    fn settings_of_the_source_are_bounded() {
        let variable = |value: &str| Variable::new("cache_grace_s", value);
        let accepted = |value| (grace_s(variable(value)).ok(), soft_timeout_ms(variable(value)).ok());
        assert_eq!(accepted("0"), (Some(0), Some(0)));
        assert_eq!(accepted("10001"), (Some(10_001), None));
        assert_eq!(accepted("31536001"), (None, None));
        assert_eq!(["0", "1", "0.5", "1000"].map(|text| beta(variable(text)).ok()), [0.0, 1.0, 0.5, 1_000.0].map(Some));
        for bad in ["", "-1", "1h", "NaN", "inf"] {
            assert_eq!((accepted(bad), beta(variable(bad)).ok()), ((None, None), None), "{bad}");
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
