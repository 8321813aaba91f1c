//! One row of the table: warmed up, measured a few times, the median kept.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use dev_servers::RedisServer;
use tempfile::TempDir;

use super::application::Application;
use super::{Options, cpu, wrk};
use crate::command;

const WARM_UP_SECONDS: u64 = 3;
/// What a hit's MGET brings: a version and a user's JSON.
const USER_BYTES: usize = 220;

/// A row.
pub struct Row {
    pub name: String,
    /// What is counted, per second: requests, unless the table says otherwise.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// CPU time of the host for each request, where it can be known.
    pub host: Option<Duration>,
    /// The same of Redis.
    pub redis: Option<Duration>,
}

/// The requests of a row.
pub struct Load {
    path: String,
    headers: Vec<(String, String)>,
    script: Option<String>,
}

impl Load {
    /// The same GET again and again.
    pub fn get(path: &str) -> Self {
        Self { path: path.into(), headers: Vec::new(), script: None }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// PUT /users/:id with a new name, for one of `users` users at random.
    pub fn put_users(users: i32) -> Self {
        let script = format!(
            "local count = 0\n\
             request = function()\n\
               count = count + 1\n\
               local body = string.format('{{\"name\": \"User %d\"}}', count)\n\
               return wrk.format('PUT', '/users/' .. math.random({users}), {{['content-type'] = 'application/json'}}, body)\n\
             end\n"
        );
        Self { path: "/users/1".into(), headers: Vec::new(), script: Some(script) }
    }
}

/// What a load generator reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Requests that were answered.
    pub requests: u64,
    /// What is counted, per second.
    pub rate: f64,
    /// Median latency.
    pub p50: Duration,
    /// 99th percentile of the latency.
    pub p99: Duration,
}

/// Whose CPU time is counted, by process group.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The host; `None` where none takes part.
    pub host: Option<u32>,
    /// Redis.
    pub redis: u32,
}

/// Measures one row of requests with wrk.
pub fn row(name: &str, app: &Application, options: &Options, load: &Load) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let script = load.script.as_ref().map(|text| write_script(&folder, text)).transpose()?;
    let url = format!("http://{}{}", app.address(), load.path);
    let processes = Processes { host: Some(app.id()), redis: app.redis() };
    rounds(name, processes, options, |seconds| {
        wrk::run(&url, &load.headers, script.as_deref(), options.connections, seconds)
    })
}

/// Measures one row: `run` puts load on for some seconds.
pub fn rounds(name: &str, processes: Processes, options: &Options, run: impl Fn(u64) -> Result<Report>) -> Result<Row> {
    eprintln!("      {name}");
    run(WARM_UP_SECONDS)?;
    let cpu = || (processes.host.and_then(cpu::of_group), cpu::of_group(processes.redis));
    let mut rows = Vec::new();
    for _ in 0..options.rounds.max(1) {
        let before = cpu();
        let report = run(options.seconds)?;
        let after = cpu();
        let each = |before: Option<Duration>, after: Option<Duration>| {
            Some((after?.checked_sub(before?)?).div_f64(report.requests.max(1) as f64))
        };
        rows.push(Row {
            name: name.into(),
            rate: report.rate,
            p50: report.p50,
            p99: report.p99,
            host: each(before.0, after.0),
            redis: each(before.1, after.1),
        });
    }
    Ok(median(rows))
}

/// The round in the middle, by requests per second.
fn median(mut rows: Vec<Row>) -> Row {
    rows.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rows.swap_remove(rows.len() / 2)
}

fn write_script(folder: &TempDir, text: &str) -> Result<std::path::PathBuf> {
    let path = folder.path().join("requests.lua");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Redis alone, asked by redis-benchmark for what a hit asks for: an MGET of a version and an entry.
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
    // It counts in requests: a first run tells how many take the time that is asked for.
    let first = parse(&benchmark(100_000, &mget)?)?;
    let requests = (first.rate * options.seconds as f64) as u64;
    let before = cpu::of_group(redis.id());
    let report = parse(&benchmark(requests, &mget)?)?;
    let used = cpu::of_group(redis.id()).zip(before).map(|(after, before)| after.saturating_sub(before));
    let each = used.map(|used| used.div_f64(requests.max(1) as f64));
    Ok(Row { name: name.into(), redis: each, ..report })
}

/// The last line of redis-benchmark's CSV: name, requests per second, then average, least, p50, p95, p99 and greatest
/// latency in milliseconds.
fn parse(csv: &str) -> Result<Row> {
    let line = csv.lines().last().unwrap_or_default();
    let columns: Vec<&str> = line.split("\",\"").map(|column| column.trim_matches('"')).collect();
    let number = |index: usize| columns.get(index).and_then(|text| text.parse::<f64>().ok());
    let milliseconds = |index| Some(Duration::from_secs_f64(number(index)? / 1000.0));
    let row = || Some((number(1)?, milliseconds(4)?, milliseconds(6)?));
    let (rate, p50, p99) = row().with_context(|| format!("redis-benchmark reported\n{csv}"))?;
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
