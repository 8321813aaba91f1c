//! The load generator wrk: its options and its report.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::measure::Report;
use crate::command;

/// Puts load on `url` for some seconds.
///
/// # Errors
/// If wrk fails, a connection breaks, or an answer is neither 2xx nor 3xx.
pub fn run(
    url: &str,
    headers: &[(String, String)],
    script: Option<&Path>,
    connections: usize,
    seconds: u64,
) -> Result<Report> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "2", "--connections", &connections.to_string()]);
    wrk.args(["--duration", &format!("{seconds}s"), "--latency"]);
    for (name, value) in headers {
        wrk.args(["--header", &format!("{name}: {value}")]);
    }
    if let Some(script) = script {
        wrk.arg("--script").arg(script);
    }
    let text = command::output(wrk.arg(url))?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("{url} answered wrongly under load:\n{text}");
    }
    parse(&text).with_context(|| format!("wrk reported\n{text}"))
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
