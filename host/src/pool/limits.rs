//! Limits of instances and of the queue in front of them, and how the command line sets them.

use std::time::Duration;

use clap::Args;

/// Limits of instances.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that an instance serves before it is replaced; 1 for a new instance for each request. It serves more
    /// while long requests or responses keep it alive and --max-instances does not allow another.
    #[arg(long = "max-instance-reuse-count", value_name = "COUNT", default_value_t = 128, value_parser = positive)]
    pub reuse: usize,

    /// Requests that an instance serves concurrently.
    #[arg(long = "max-instance-concurrent-reuse-count", value_name = "COUNT", default_value_t = 16, value_parser = positive)]
    pub concurrent: usize,

    /// How long an instance without requests is kept: seconds, or with a suffix (s, ms, us, ns).
    #[arg(long = "idle-instance-timeout", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub idle: Duration,

    /// How long a request may take, in the same form. Default: no limit.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub request_timeout: Option<Duration>,

    /// Memory of an instance, in bytes.
    #[arg(long = "max-instance-memory", value_name = "BYTES", default_value_t = 1 << 30)]
    pub memory: usize,

    /// Instances of a component per thread.
    #[arg(long = "max-instances", value_name = "COUNT", default_value_t = 64, value_parser = positive)]
    pub instances: usize,

    /// Requests that wait for an instance of a component, per thread. Further requests are answered 503.
    #[arg(long = "max-queue", value_name = "COUNT", default_value_t = 1024, value_parser = positive)]
    pub queue: usize,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses a duration in Spin's format: a whole number of seconds (no suffix, or `s`), or with another unit as suffix.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let from: fn(u64) -> Duration = match unit {
        "" | "s" => Duration::from_secs,
        "ms" => Duration::from_millis,
        "us" | "μs" => Duration::from_micros,
        "ns" => Duration::from_nanos,
        _ => return Err(format!("unknown unit {unit:?}: expected s, ms, us, μs or ns")),
    };
    text[..text.len() - unit.len()].parse().map(from).map_err(|error| {
        format!("expected a whole number, followed by `s` (the default), `ms`, `us`, `μs` or `ns`: {error}")
    })
}

/// Small limits for tests.
#[cfg(test)]
pub const SMALL: Limits = Limits {
    reuse: 3,
    concurrent: 2,
    idle: Duration::from_secs(1),
    request_timeout: Some(Duration::from_secs(10)),
    memory: 0,
    instances: 1,
    queue: 1,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_spins_format() {
        for (text, nanoseconds) in
            [("3", 3_000_000_000), ("3s", 3_000_000_000), ("3ms", 3_000_000), ("3us", 3000), ("3μs", 3000), ("3ns", 3)]
        {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for bad in ["", "s", "1.5s", "-1", "1m", "1..8s", "three"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
