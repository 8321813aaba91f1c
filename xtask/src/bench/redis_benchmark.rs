//! Redis alone: redis-benchmark sends the command of a cache hit, an MGET of versions and an entry.

use std::cell::Cell;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::wrk::Report;
use crate::command;

/// The keys of the command: three versions and an entry of the size of a user.
const KEYS: [&str; 4] = ["bench:version", "bench:generation:1", "bench:generation:2", "bench:entry"];
const VERSION: &str = "3764884063524281642";
const ENTRY_BYTES: usize = 220;
/// The requests of the first run.
const FIRST: u64 = 20_000;

/// Sends the command on a number of connections.
pub struct RedisBenchmark {
    port: u16,
    connections: usize,
    /// Requests per second of the last run: redis-benchmark takes a number of requests, not a time.
    rate: Cell<f64>,
}

impl RedisBenchmark {
    /// Stores the values in the Redis at this port of 127.0.0.1.
    ///
    /// # Errors
    /// If redis-benchmark fails.
    pub fn new(port: u16, connections: usize) -> Result<Self> {
        let benchmark = Self { port, connections, rate: Cell::new(0.0) };
        let (last, versions) = KEYS.split_last().expect("there are keys");
        for key in versions {
            benchmark.send(1, &["SET", key, VERSION])?;
        }
        benchmark.send(1, &["SET", last, &"x".repeat(ENTRY_BYTES)])?;
        Ok(benchmark)
    }

    /// Sends as many commands as fit into `seconds`, judging by the last run.
    ///
    /// # Errors
    /// If redis-benchmark fails.
    pub fn run(&self, seconds: u64) -> Result<Report> {
        let requests = ((self.rate.get() * seconds as f64) as u64).max(FIRST);
        let csv = self.send(requests, &[&["MGET"], &KEYS[..]].concat())?;
        let report =
            parse(&csv, requests).with_context(|| format!("cannot read the report of redis-benchmark:\n{csv}"))?;
        self.rate.set(report.rate);
        Ok(report)
    }

    fn send(&self, requests: u64, words: &[&str]) -> Result<String> {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &self.port.to_string(), "-c", &self.connections.to_string()]);
        command::output(command.args(["-n", &requests.to_string(), "--csv"]).args(words))
    }
}

/// The last line of redis-benchmark's CSV: name, requests per second, then the average, minimum, p50, p95, p99 and
/// maximum of the latency in milliseconds.
fn parse(csv: &str, requests: u64) -> Option<Report> {
    let line = csv.lines().last()?;
    let columns: Vec<&str> = line.split("\",\"").map(|column| column.trim_matches('"')).collect();
    let number = |index: usize| columns.get(index)?.parse::<f64>().ok();
    let milliseconds = |index| Some(Duration::from_secs_f64(number(index)? / 1000.0));
    Some(Report { requests, rate: number(1)?, p50: milliseconds(4)?, p99: milliseconds(6)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_csv_of_redis_benchmark_is_parsed() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
                   \"p99_latency_ms\",\"max_latency_ms\"\n\
                   \"MGET a b\",\"100000.00\",\"0.160\",\"0.056\",\"0.159\",\"0.199\",\"0.263\",\"0.423\"\n";
        let (p50, p99) = (Duration::from_micros(159), Duration::from_micros(263));
        assert_eq!(parse(csv, 7), Some(Report { requests: 7, rate: 100_000.0, p50, p99 }));
        assert_eq!(parse("", 7), None);
    }
}
