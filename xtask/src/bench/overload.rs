//! More requests than the host can serve: how many it serves, how long they take, and what becomes of the others. With
//! overload control, without it, and with a queue that has no limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};

use super::application::{Application, Environment};
use super::cpu::{self, CpuTime};
use super::http;
use super::open_loop::{self, Outcome};
use super::options::Options;
use super::requests::USERS;
use super::wrk::Load;

/// One core for the host; the load generator and Redis have the others.
const ONE_WORKER: [&str; 2] = ["--workers", "1"];
/// Overload control, which is off by default.
const CONTROLLED: [&str; 2] = ["--max-overload-wait", "5ms"];
/// No request is refused.
const UNBOUNDED: [&str; 6] = ["--max-overload-wait", "0", "--max-queue", "1000000", "--max-queue-wait", "600s"];
/// The offered load, as parts of what the host can serve.
const LOADS: [f64; 6] = [0.5, 0.7, 1.0, 1.5, 2.0, 3.0];
/// The time before each measurement, at the same load.
const WARM_UP_SECONDS: u64 = 2;

/// A row.
pub struct Overload {
    pub name: String,
    /// Requests per second.
    pub offered: f64,
    /// Responses with status 200 per second, until the last one.
    pub served: f64,
    /// Responses with status 503, and requests without an answer; per second of the load.
    pub refused: f64,
    pub unanswered: f64,
    /// How long the responses with status 200 took.
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
    /// How long the responses with status 503 took.
    pub refused_p99: Option<Duration>,
    /// CPU time of the host per second.
    pub host: Option<f64>,
    /// The most resident memory of the host, in bytes.
    pub memory: Option<u64>,
}

/// Measures all rows.
///
/// # Errors
/// A response that is neither 200 nor 503.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Overload>> {
    // A request that costs the host much more than Redis and the load generator: so the host is what is overloaded,
    // although all of them share the machine.
    let path = format!("/users?ids={}", (1..=USERS).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
    let mut rows = Vec::new();
    let capacity = {
        let app = start(environment, &path, &[]).await?;
        Load::get(&path).run(&app.address, options.connections, WARM_UP_SECONDS)?;
        Load::get(&path).run(&app.address, options.connections, options.seconds_in_all())?.rate
    };
    let settings = [("default", &[][..]), ("overload control", &CONTROLLED), ("queue without a limit", &UNBOUNDED)];
    for (name, host_args) in settings {
        for load in LOADS {
            // A host of its own: what the one before has left does not count.
            let app = start(environment, &path, host_args).await?;
            rows.push(row(format!("{load} ×, {name}"), &app, &path, options, load * capacity).await?);
        }
    }
    Ok(rows)
}

async fn start(environment: &Environment, path: &str, host_args: &[&str]) -> Result<Application> {
    let app = environment.start("spin.toml", &[&ONE_WORKER, host_args].concat()).await?;
    http::get(&app.address, path, &[], 200)?;
    http::get(&app.address, path, &[], 200)?.expect_hit()?;
    Ok(app)
}

async fn row(name: String, app: &Application, path: &str, options: &Options, offered: f64) -> Result<Overload> {
    eprintln!("      {name}");
    open_loop::run(&app.address, path, offered, WARM_UP_SECONDS).await?;
    let group = app.processes.host.context("the row has a host")?;
    let (stop, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let sampler = std::thread::spawn({
        let (stop, most) = (stop.clone(), most.clone());
        move || {
            while !stop.load(Relaxed) {
                most.fetch_max(cpu::resident_bytes_of_group(group).unwrap_or(0), Relaxed);
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    });
    let host_cpu = || CpuTime::of_group(group);
    let before = host_cpu();
    let outcome = open_loop::run(&app.address, path, offered, options.seconds_in_all()).await;
    let after = host_cpu();
    stop.store(true, Relaxed);
    sampler.join().expect("it does not panic");
    let Outcome { served, refused, unanswered, elapsed } = outcome?;
    let each_second = |count: usize| count as f64 / options.seconds_in_all() as f64;
    let percentile =
        |sorted: &[Duration], percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied();
    Ok(Overload {
        name,
        offered,
        served: served.len() as f64 / elapsed.as_secs_f64(),
        refused: each_second(refused.len()),
        unanswered: unanswered as f64 / options.seconds_in_all() as f64,
        p50: percentile(&served, 50),
        p99: percentile(&served, 99),
        refused_p99: percentile(&refused, 99),
        host: after.zip(before).map(|(after, before)| after.since(&before).div_duration_f64(elapsed)),
        memory: Some(most.load(Relaxed)).filter(|bytes| *bytes > 0),
    })
}
