//! Measures one row: warms up, measures several times, and returns the median.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use dev_servers::RedisServer;

use super::application::Application;
use super::cpu::{self, Processes};
use super::options::Options;
use super::wrk::{Load, Report};
use crate::command;

const WARM_UP_SECONDS: u64 = 3;
/// The size of a cached user.
const USER_BYTES: usize = 220;

/// A row.
pub struct Row {
    pub name: String,
    /// Requests per second, unless the table counts something else.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// CPU time of the host per request, if known.
    pub host: Option<Duration>,
    /// CPU time of Redis per request, if known.
    pub redis: Option<Duration>,
}

/// How long all rounds of a row take, in seconds.
pub fn seconds_of_a_row(options: &Options) -> u64 {
    WARM_UP_SECONDS + options.rounds.max(1) as u64 * options.seconds
}

/// Measures one row of requests with wrk.
pub fn row(name: &str, app: &Application, options: &Options, load: &Load) -> Result<Row> {
    rounds(name, app.processes, options, |seconds| load.run(&app.address, options.connections, seconds))
}

/// Measures one row: `run` generates load for a number of seconds.
pub fn rounds(name: &str, processes: Processes, options: &Options, run: impl Fn(u64) -> Result<Report>) -> Result<Row> {
    eprintln!("      {name}");
    run(WARM_UP_SECONDS)?;
    let rounds = (0..options.rounds.max(1)).map(|_| round(name, processes, options, &run));
    Ok(median(rounds.collect::<Result<_>>()?))
}

/// Measures the same load on several applications that run at the same time, in alternating rounds. So a machine
/// that becomes slower meanwhile slows all of them down equally.
pub fn alternating(apps: &[(&str, Application)], options: &Options, load: &Load) -> Result<Vec<Row>> {
    let run = |app: &Application, seconds| load.run(&app.address, options.connections, seconds);
    for (name, app) in apps {
        eprintln!("      {name}");
        run(app, WARM_UP_SECONDS)?;
    }
    let mut rows: Vec<Vec<Row>> = apps.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds.max(1) {
        for ((name, app), rows) in apps.iter().zip(&mut rows) {
            rows.push(round(name, app.processes, options, |seconds| run(app, seconds))?);
        }
    }
    Ok(rows.into_iter().map(median).collect())
}

fn round(name: &str, processes: Processes, options: &Options, run: impl Fn(u64) -> Result<Report>) -> Result<Row> {
    let cpu = || (processes.host.and_then(cpu::of_group), cpu::of_group(processes.redis));
    let before = cpu();
    let report = run(options.seconds)?;
    let after = cpu();
    let each = |before: Option<Duration>, after: Option<Duration>| {
        Some((after?.checked_sub(before?)?).div_f64(report.requests.max(1) as f64))
    };
    Ok(Row {
        name: name.into(),
        rate: report.rate,
        p50: report.p50,
        p99: report.p99,
        host: each(before.0, after.0),
        redis: each(before.1, after.1),
    })
}

/// The median round, by requests per second.
fn median(mut rows: Vec<Row>) -> Row {
    rows.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rows.swap_remove(rows.len() / 2)
}

/// Redis alone: redis-benchmark sends the command of a cache hit, an MGET of a version and an entry.
pub fn redis(redis: &RedisServer, options: &Options) -> Result<Row> {
    let name = "Redis alone, MGET of two keys (redis-benchmark)";
    eprintln!("      {name}");
    let benchmark = |requests: u64, words: &[&str]| {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &redis.port().to_string(), "-c", &options.connections.to_string()]);
        command.args(["-n", &requests.to_string(), "--csv"]).args(words);
        command::output(&mut command)
    };
    benchmark(1, &["SET", "user:version:1", "1700000000000000"])?;
    benchmark(1, &["SET", "user:cache:1", &"x".repeat(USER_BYTES)])?;
    let mget = ["MGET", "user:version:1", "user:cache:1"];
    // redis-benchmark takes a number of requests, not a time: a first run measures how many fit in the time.
    let first = parse(&benchmark(100_000, &mget)?)?;
    let requests = (first.rate * options.seconds as f64) as u64;
    let before = cpu::of_group(redis.id());
    let report = parse(&benchmark(requests, &mget)?)?;
    let used = cpu::of_group(redis.id()).zip(before).map(|(after, before)| after.saturating_sub(before));
    let each = used.map(|used| used.div_f64(requests.max(1) as f64));
    Ok(Row { name: name.into(), redis: each, ..report })
}

/// The last line of redis-benchmark's CSV: name, requests per second, then the average, minimum, p50, p95, p99 and
/// maximum of the latency in milliseconds.
fn parse(csv: &str) -> Result<Row> {
    let line = csv.lines().last().unwrap_or_default();
    let columns: Vec<&str> = line.split("\",\"").map(|column| column.trim_matches('"')).collect();
    let number = |index: usize| columns.get(index).and_then(|text| text.parse::<f64>().ok());
    let milliseconds = |index| Some(Duration::from_secs_f64(number(index)? / 1000.0));
    let row = || Some((number(1)?, milliseconds(4)?, milliseconds(6)?));
    let (rate, p50, p99) = row().with_context(|| format!("cannot read the report of redis-benchmark:\n{csv}"))?;
    Ok(Row { name: String::new(), rate, p50, p99, host: None, redis: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_csv_of_redis_benchmark_is_parsed() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
                   \"p99_latency_ms\",\"max_latency_ms\"\n\
                   \"MGET a b\",\"100000.00\",\"0.160\",\"0.056\",\"0.159\",\"0.199\",\"0.263\",\"0.423\"\n";
        let row = parse(csv).unwrap();
        assert_eq!(row.rate, 100_000.0);
        assert_eq!((row.p50.as_micros(), row.p99.as_micros()), (159, 263));
    }
}
