//! Measures rows in alternating rounds: each round measures each row for a short time. So a machine that becomes slower
//! meanwhile slows all rows down, and two rows can be compared round by round.

use std::time::Duration;

use anyhow::{Context, Result};

use super::application::Application;
use super::cpu::{self, CpuTime, Processes};
use super::estimate::Estimate;
use super::options::Options;
use super::wrk::{Load, Report};

/// How long each row is under load before the first round.
const WARM_UP_SECONDS: u64 = 2;

/// What a row measures: a load on a server.
pub struct Subject<'a> {
    pub name: String,
    /// The name of the build that is measured; empty: the present one.
    pub build: &'a str,
    pub processes: Processes,
    /// Generates load for a number of seconds.
    pub run: Box<dyn Fn(u64) -> Result<Report> + 'a>,
}

impl<'a> Subject<'a> {
    /// Requests that wrk sends to the present build.
    pub fn load(name: impl Into<String>, app: &'a Application, options: &'a Options, load: Load) -> Self {
        let run = move |seconds| load.run(&app.address, options.connections, seconds);
        Self { name: name.into(), build: "", processes: app.processes, run: Box::new(run) }
    }
}

/// A row.
pub struct Row {
    pub name: String,
    /// See [`Subject::build`].
    pub build: String,
    /// All rows of a table have the same number of rounds, in the same order.
    pub rounds: Vec<Round>,
}

/// One round of a row.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Requests per second, unless the table counts something else.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// CPU time of the server per request, if known.
    pub host: Option<Duration>,
    /// CPU time of Redis per request, if known.
    pub redis: Option<Duration>,
    /// Resident memory of the server at the end, in bytes, if known.
    pub memory: Option<u64>,
}

impl Row {
    /// The median of a value over all rounds.
    pub fn estimate(&self, value: impl Fn(&Round) -> Option<f64>) -> Option<Estimate> {
        Estimate::of(self.rounds.iter().filter_map(value))
    }

    /// The median of what `compare` makes of a value of this row and one of `other` in the same round.
    pub fn compared(
        &self,
        other: &Self,
        value: impl Fn(&Round) -> Option<f64>,
        compare: impl Fn(f64, f64) -> f64,
    ) -> Option<Estimate> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        Estimate::of(pairs.filter_map(|(this, other)| Some(compare(value(this)?, value(other)?))))
    }

    /// The ratio of a value to that of `other`.
    pub fn ratio(&self, other: &Self, value: impl Fn(&Round) -> Option<f64>) -> Option<Estimate> {
        self.compared(other, value, |this, other| this / other)
    }
}

/// How long all rounds of a row take, in seconds.
pub fn seconds_of_a_row(options: &Options) -> u64 {
    WARM_UP_SECONDS + options.seconds_in_all()
}

/// Measures all subjects.
///
/// # Errors
/// The first error of a load: wrong responses are not measured.
pub fn alternating(subjects: &[Subject], options: &Options) -> Result<Vec<Row>> {
    let fails = |subject: &Subject| format!("the row \"{}\" {} failed", subject.name, subject.build);
    for subject in subjects {
        eprintln!("      warming up: {} {}", subject.name, subject.build);
        (subject.run)(WARM_UP_SECONDS).with_context(|| fails(subject))?;
    }
    let row = |subject: &Subject| Row { name: subject.name.clone(), build: subject.build.into(), rounds: Vec::new() };
    let mut rows: Vec<Row> = subjects.iter().map(row).collect();
    for number in 0..options.rounds {
        eprintln!("      round {} of {}", number + 1, options.rounds);
        let mut pairs: Vec<_> = subjects.iter().zip(&mut rows).collect();
        // Each second round goes backwards: no row always profits from what runs before it.
        if number % 2 == 1 {
            pairs.reverse();
        }
        for (subject, row) in pairs {
            row.rounds.push(round(subject, options.seconds).with_context(|| fails(subject))?);
        }
    }
    Ok(rows)
}

fn round(subject: &Subject, seconds: u64) -> Result<Round> {
    let Processes { host, redis } = subject.processes;
    let cpu = || (host.and_then(CpuTime::of_group), CpuTime::of_group(redis));
    let before = cpu();
    let Report { requests, rate, p50, p99 } = (subject.run)(seconds)?;
    let after = cpu();
    let each =
        |before: Option<CpuTime>, after: Option<CpuTime>| Some(after?.since(&before?).div_f64(requests.max(1) as f64));
    let (host_cpu, redis_cpu) = (each(before.0, after.0), each(before.1, after.1));
    let memory = host.and_then(cpu::resident_bytes_of_group);
    Ok(Round { rate, p50, p99, host: host_cpu, redis: redis_cpu, memory })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn row(rates: &[f64]) -> Row {
        let round = |rate: &f64| Round {
            rate: *rate,
            p50: Duration::ZERO,
            p99: Duration::ZERO,
            host: None,
            redis: None,
            memory: None,
        };
        Row { name: String::new(), build: String::new(), rounds: rates.iter().map(round).collect() }
    }

    #[test]
    fn rows_are_compared_round_by_round() {
        // The machine was three times slower in the second round.
        let (this, other) = (row(&[90.0, 30.0, 99.0]), row(&[100.0, 33.0, 100.0]));
        let ratio = this.ratio(&other, |round| Some(round.rate)).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (0.9, 30.0 / 33.0, 0.99));
        assert_eq!(this.ratio(&other, |round| round.memory.map(|bytes| bytes as f64)), None);
    }

    #[test]
    fn rounds_alternate() {
        let order = RefCell::new(String::new());
        let subject = |name: &'static str| Subject {
            name: name.into(),
            build: "",
            processes: Processes { host: None, redis: std::process::id() },
            run: Box::new(|_| {
                order.borrow_mut().push_str(name);
                Ok(Report { requests: 1, rate: 1.0, p50: Duration::ZERO, p99: Duration::ZERO })
            }),
        };
        let options = Options::for_tests(3);
        let rows = alternating(&[subject("a"), subject("b")], &options).unwrap();
        assert_eq!(*order.borrow(), "ababbaab");
        assert!(rows.iter().all(|row| row.rounds.len() == 3));
    }
}
