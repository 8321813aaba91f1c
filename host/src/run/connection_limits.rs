//! Limits of clients' connections, and how the command line sets them.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::pool::duration;

/// The least number of open files that connections leave to the host, for its servers and for instances.
const MIN_RESERVE: u64 = 64;

/// Memory that the host keeps for each connection of the default, in bytes: that of a connection with a short body.
const MEMORY_OF_CONNECTION: usize = 64 << 10;

/// What is assumed if the system sets no limit of open files.
const NO_LIMIT: u64 = 1 << 20;

/// Limits of clients' connections. All times are accurate to half a second.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How long a request's header may take from its first byte; then the response is 408. Also how long a new
    /// connection may send nothing; then it is closed. Seconds, or with a suffix (s, ms, us, ns).
    #[arg(long = "header-timeout", value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    pub header: Duration,

    /// How long a connection is kept between requests, in the same form.
    #[arg(long = "keep-alive-timeout", value_name = "DURATION", default_value = "75s", value_parser = timeout)]
    pub keep_alive: Duration,

    /// How long the next bytes of a request's body may take while the host or the component waits for them, in the same
    /// form. After 20 s of waiting in all, a body must also have arrived at 500 bytes per second or more.
    #[arg(long = "body-timeout", value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub body: Duration,

    /// How long a client may read nothing of a response that is being sent, in the same form.
    #[arg(long = "write-timeout", value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub write: Duration,

    /// Open connections of clients, of all threads together. Default: three quarters of the files that the process may
    /// open, but one for each 64 KiB of --max-memory.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_connections: Option<u64>,

    /// Open connections of one client address (IPv6: of one network of 64 bits). Default: no limit.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_connections_per_address: Option<u64>,
}

impl ConnectionLimits {
    /// How many connections may be open if the process may open `open_files` files and use `memory` bytes. Errors:
    /// `--max-connections` leaves no files for the host itself.
    pub fn max_connections(&self, open_files: u64, memory: usize) -> Result<u64> {
        let Some(max) = self.max_connections else {
            let of_memory = (memory / MEMORY_OF_CONNECTION) as u64;
            return Ok(open_files.saturating_sub(MIN_RESERVE.max(open_files / 4)).min(of_memory).max(1));
        };
        ensure!(
            max.saturating_add(MIN_RESERVE) <= open_files,
            "--max-connections {max} needs a limit of at least {} open files, but it is {open_files}",
            max.saturating_add(MIN_RESERVE)
        );
        Ok(max)
    }
}

/// Parses a timeout in Spin's format. The host looks at the connections four times a second, so less than a second
/// would be inaccurate.
fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        timeout if timeout < Duration::from_secs(1) => Err("must be at least 1s".to_owned()),
        timeout => Ok(timeout),
    }
}

/// Raises the limit of open files as far as the system allows. Returns the limit.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // If the system refuses, the limit stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(NO_LIMIT).min(NO_LIMIT)
}

/// Short timeouts for tests.
#[cfg(test)]
pub const SHORT: ConnectionLimits = ConnectionLimits {
    header: Duration::from_secs(1),
    keep_alive: Duration::from_secs(2),
    body: Duration::from_secs(3),
    write: Duration::from_secs(4),
    max_connections: None,
    max_connections_per_address: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_host() {
        for (open_files, max) in [(1024, 768), (100_000, 75_000), (200, 136), (64, 1), (0, 1)] {
            assert_eq!(SHORT.max_connections(open_files, usize::MAX).expect("a default"), max);
        }
        let limits = ConnectionLimits { max_connections: Some(1000), ..SHORT };
        assert_eq!(limits.max_connections(1064, 0).expect("enough"), 1000);
        assert!(limits.max_connections(1063, usize::MAX).is_err());
    }

    #[test]
    fn connections_do_not_use_up_the_memory() {
        let max = |memory| SHORT.max_connections(1 << 20, memory).expect("a default");
        assert_eq!((max(1 << 30), max(0)), (16_384, 1));
    }

    #[test]
    fn timeouts_have_at_least_a_second() {
        assert_eq!(timeout("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(timeout("1500ms"), Ok(Duration::from_millis(1500)));
        for bad in ["0", "999ms", "1m", ""] {
            assert!(timeout(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_limit_of_open_files_is_raised() {
        let raised = raise_open_files();
        assert!(getrlimit(Resource::Nofile).maximum.is_none_or(|hard| raised == hard.min(NO_LIMIT)), "{raised}");
    }
}
