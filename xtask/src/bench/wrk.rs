//! The load generator wrk: the requests that it sends, and its report.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command;

/// The requests to send.
pub struct Load {
    path: String,
    headers: Vec<(String, String)>,
    script: Option<String>,
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
        Self { path: path.into(), headers: Vec::new(), script: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// PUT /users/:id with a new name, for a random one of `users` users.
    pub fn put_users(users: i64) -> Self {
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

    /// Sends the requests to the server at `address` for `seconds`.
    ///
    /// # Errors
    /// If wrk fails, a connection breaks, or a status is neither 2xx nor 3xx.
    pub fn run(&self, address: &str, connections: usize, seconds: u64) -> Result<Report> {
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "2", "--connections", &connections.to_string()]);
        wrk.args(["--duration", &format!("{seconds}s"), "--latency"]);
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
        let is_valid = !text.contains("Non-2xx") && !text.contains("Socket errors");
        ensure!(is_valid, "{url} failed under load:\n{text}");
        parse(&text).with_context(|| format!("cannot read the report of wrk:\n{text}"))
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
    }
}
