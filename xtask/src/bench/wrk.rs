//! The load generator wrk: the requests that it sends, and its report.

use std::io::Write;
use std::ops::RangeInclusive;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command;

/// How long a response may take.
const TIMEOUT: &str = "10s";

/// The requests to send.
pub struct Load {
    path: String,
    headers: Vec<(String, String)>,
    script: Option<String>,
    /// Whether every response must be an error, instead of none.
    refused: bool,
}

/// What a load generator reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The number of responses.
    pub requests: u64,
    /// Requests per second, unless the table counts something else.
    pub rate: f64,
    /// Median latency.
    pub p50: Duration,
    /// 99th percentile of the latency.
    pub p99: Duration,
}

impl Load {
    /// The same GET every time.
    pub fn get(path: &str) -> Self {
        Self { path: path.into(), headers: Vec::new(), script: None, refused: false }
    }

    /// The same GET every time, which the server must refuse: with a status that is neither 2xx nor 3xx.
    pub fn refused_get(path: &str) -> Self {
        Self { refused: true, ..Self::get(path) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// GET /users/:id for a random one of these users.
    pub fn get_users(ids: RangeInclusive<i64>) -> Self {
        let (first, last) = ids.into_inner();
        let script =
            format!("request = function() return wrk.format('GET', '/users/' .. math.random({first}, {last})) end\n");
        Self { script: Some(script), ..Self::get("/users") }
    }

    /// PUT /users/:id with a new name, for a random one of these users.
    pub fn put_users(ids: RangeInclusive<i64>) -> Self {
        let (first, last) = ids.into_inner();
        let script = format!(
            "local count = 0\n\
             request = function()\n\
               count = count + 1\n\
               local body = string.format('{{\"name\": \"User %d\"}}', count)\n\
               return wrk.format('PUT', '/users/' .. math.random({first}, {last}), {{['content-type'] = 'application/json'}}, body)\n\
             end\n"
        );
        Self { script: Some(script), ..Self::get("/users") }
    }

    /// Sends the requests to the server at `address` for `seconds`.
    ///
    /// # Errors
    /// If wrk fails, a connection breaks, or a status is not as expected.
    pub fn run(&self, address: &str, connections: usize, seconds: u64) -> Result<Report> {
        let mut wrk = Command::new("wrk");
        // The other half of the cores is for the server.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 2).clamp(1, connections.max(1));
        wrk.args(["--threads", &threads.to_string(), "--connections", &connections.to_string()]);
        wrk.args(["--duration", &format!("{seconds}s"), "--timeout", TIMEOUT, "--latency"]);
        for (name, value) in &self.headers {
            wrk.args(["--header", &format!("{name}: {value}")]);
        }
        let mut file = tempfile::Builder::new().suffix(".lua").tempfile()?;
        if let Some(script) = &self.script {
            file.write_all(script.as_bytes())?;
            wrk.arg("--script").arg(file.path());
        }
        let url = format!("http://{address}{}", self.path);
        let text = command::output(wrk.arg(&url))?;
        let report = parse(&text).with_context(|| format!("cannot read the report of wrk:\n{text}"))?;
        let expected = if self.refused { report.requests } else { 0 };
        let is_valid = refused(&text) == Some(expected) && !text.contains("Socket errors");
        ensure!(is_valid, "{url} failed under load:\n{text}");
        Ok(report)
    }
}

/// The number of responses that are neither 2xx nor 3xx.
fn refused(text: &str) -> Option<u64> {
    match text.split_once("Non-2xx or 3xx responses:") {
        Some((_, rest)) => rest.split_whitespace().next()?.parse().ok(),
        None => Some(0),
    }
}

fn parse(text: &str) -> Option<Report> {
    let words_of = |line: &'_ str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = text.lines().map(words_of).collect();
    let after = |name: &str| lines.iter().find(|words| words.first().is_some_and(|word| word == name))?.get(1).cloned();
    let requests = lines.iter().find(|words| words.get(1).is_some_and(|word| word == "requests"))?;
    Some(Report {
        requests: requests[0].parse().ok()?,
        rate: after("Requests/sec:")?.parse().ok()?,
        p50: latency(&after("50%")?)?,
        p99: latency(&after("99%")?)?,
    })
}

/// `1.23ms`, `456.00us` or `1.20s`.
fn latency(text: &str) -> Option<Duration> {
    let units = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(units);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_parsed() {
        let text = "Running 10s test @ http://127.0.0.1:3000/\n  2 threads and 32 connections\n  \
            Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   635.91us    0.89ms  12.92ms   93.69%\n    \
            Req/Sec    56.20k     8.07k   62.00k    86.54%\n  Latency Distribution\n     50%  250.00us\n     \
            75%  491.00us\n     90%  700.00us\n     99%    5.80ms\n  22464657 requests in 30.00s, 17.76GB read\n\
            Requests/sec: 748868.53\nTransfer/sec:    606.33MB\n";
        let report = parse(text).unwrap();
        assert_eq!(report.requests, 22_464_657);
        assert_eq!(report.rate, 748_868.53);
        assert_eq!((report.p50.as_micros(), report.p99.as_micros()), (250, 5800));
        assert_eq!(refused(text), Some(0));
        assert_eq!(refused("  Non-2xx or 3xx responses: 22464657\nRequests/sec: 748868.53\n"), Some(22_464_657));
    }
}
