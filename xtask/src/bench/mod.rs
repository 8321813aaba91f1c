//! `cargo xtask bench`: requests per second, latency, and what a request costs in CPU time.

mod application;
mod cpu;
mod http;
mod machine;
mod measure;
mod report;
mod wrk;

use anyhow::Result;
use dev_servers::RedisServer;

use crate::step::Steps;
use crate::wasm::Toolchain;
use crate::{build, packages, workspace};
use application::{Application, Place};
use measure::{Load, Row};

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Times that each row is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 32)]
    connections: usize,
}

/// Users in the database, and so in the list.
const USERS: i32 = 100;
/// Instances that live longer and do more at once than by default (128 requests, 16 at once), which is Spin's.
const LONG_LIVED: [&str; 4] = ["--max-instance-reuse-count", "1000", "--max-instance-concurrent-reuse-count", "64"];

/// Measures all rows and writes bench/results.md. With `SPIN` set to a real Spin: on that.
///
/// # Errors
/// If something cannot be built or started, or answers other than it should: a wrong answer is never measured.
pub async fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(4);
    let step = steps.next("looking for the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES, packages::WRK, packages::REDIS_BENCHMARK])?;
    let toolchain = Toolchain::ensure()?;
    drop(step);
    let step = steps.next("building the components");
    build::components(toolchain, &["empty"])?;
    drop(step);
    let step = steps.next("building the host with all optimisations");
    let program = match std::env::var_os("SPIN") {
        Some(spin) => spin.into(),
        None => build::host("release")?,
    };
    drop(step);
    let step = steps.next("measuring");
    let place = Place::new(program, USERS).await?;
    let mut rows = Vec::new();
    empty(&place, options, &mut rows).await?;
    users(&place, options, &mut rows).await?;
    uncached(&place, options, &mut rows).await?;
    rows.push(raw_redis(options).await?);
    drop(step);

    let text = report::markdown(&rows, options, &machine::description(&place.program));
    let path = workspace::root().join("bench/results.md");
    std::fs::write(&path, &text)?;
    println!("\n{text}\nwritten to {}", path.display());
    Ok(())
}

async fn empty(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("bench/spin.toml", &[]).await?;
    http::expect(app.address(), "/empty", &[], 200)?;
    rows.push(measure::row("empty component", &app, options, &Load::get("/empty"))?);
    drop(app);
    let app = place.start("bench/spin.toml", &LONG_LIVED).await?;
    rows.push(measure::row("empty component, long-lived", &app, options, &Load::get("/empty"))?);
    Ok(())
}

async fn users(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("spin.toml", &[]).await?;
    let user = http::expect(app.address(), "/users/1", &[], 200)?;
    let cached = http::expect(app.address(), "/users/1", &[], 200)?;
    anyhow::ensure!(
        cached.header("cache-status").is_some_and(|status| status.contains("hit")),
        "not cached: {cached:?}"
    );
    rows.push(measure::row("GET /users/:id, cached", &app, options, &Load::get("/users/1"))?);
    let etag = user.header("etag").unwrap_or_default();
    http::expect(app.address(), "/users/1", &[("if-none-match", etag)], 304)?;
    let load = Load::get("/users/1").header("if-none-match", etag);
    rows.push(measure::row("GET /users/:id, If-None-Match (304)", &app, options, &load)?);
    rows.push(measure::row(&format!("GET /users, {USERS} users, cached"), &app, options, &Load::get("/users"))?);
    rows.push(measure::row("PUT /users/:id", &app, options, &Load::put_users(USERS))?);
    drop(app);
    let app = place.start("spin.toml", &LONG_LIVED).await?;
    http::expect(app.address(), "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cached, long-lived", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

async fn uncached(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app: Application = place.start("spin.toml", &["--variable", "cache_enabled=false"]).await?;
    http::expect(app.address(), "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cache off", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

/// What Redis itself can do with the command that a hit costs.
async fn raw_redis(options: &Options) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let redis = RedisServer::start(folder.path()).await?;
    measure::redis(&redis, options)
}
