//! Limits of instances, of the queue in front of them and of the host's memory, and how the command line sets them.

use std::time::Duration;

use clap::Args;

use crate::memory::machine_bytes;

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

    /// How long a request may wait for a place in an instance, in the same form as the other durations. Then it is
    /// answered 503.
    #[arg(long = "max-queue-wait", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub queue_wait: Duration,

    /// Overload control: how long a request may wait while its component gets more requests than the processor can
    /// serve; then it is answered 503. 5ms is a good value. 0 turns it off: all requests share the processor's time.
    #[arg(long = "max-overload-wait", value_name = "DURATION", default_value = "0", value_parser = duration)]
    pub overload_wait: Duration,

    /// Memory of the host, in bytes, or with a suffix (K, M, G: 1024 bytes, and so on). When seven eighths are used,
    /// new requests are answered 503. Default: three quarters of the memory of the machine or of the control group.
    #[arg(long = "max-memory", value_name = "BYTES", value_parser = bytes)]
    pub host_memory: Option<usize>,
}

impl Limits {
    /// The memory of the host, in bytes.
    pub fn host_memory(&self) -> usize {
        self.host_memory.or_else(|| Some(machine_bytes()? / 4 * 3)).unwrap_or(usize::MAX)
    }
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

/// Parses a number of bytes: digits, perhaps with K, M, G or T for powers of 1024, or with KiB and so on.
fn bytes(text: &str) -> Result<usize, String> {
    let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let shift = match suffix {
        "" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return Err(format!("unknown unit {suffix:?}: expected K, M, G or T")),
    };
    let number: usize = text[..text.len() - suffix.len()]
        .parse()
        .map_err(|error| format!("expected a whole number, perhaps followed by `K`, `M`, `G` or `T`: {error}"))?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
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
    queue_wait: Duration::from_secs(10),
    overload_wait: Duration::from_millis(5),
    host_memory: None,
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

    #[test]
    fn bytes_may_have_a_suffix() {
        for (text, number) in [("0", 0), ("1000", 1000), ("2K", 2048), ("3MiB", 3 << 20), ("4G", 4 << 30)] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for bad in ["", "M", "1.5G", "-1", "1MB", "1 G", "99999999T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
