//! `cargo xtask bench`: requests per second, latency, what a request costs in CPU time; locks; large invalidations.

mod application;
mod cpu;
mod http;
mod invalidation;
mod locks;
mod machine;
mod measure;
mod report;
mod requests;
mod resp;
mod wrk;

use anyhow::Result;

use crate::step::Steps;
use crate::wasm::Toolchain;
use crate::{build, packages, workspace};
use application::Place;
use report::Results;

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
    /// Measure only these tables, print them, and leave bench/results.md as it is
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Table>,
}

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Table {
    Requests,
    Locks,
    Invalidation,
}

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
    let place = Place::new(program, requests::USERS).await?;
    let wanted = |table| options.only.is_empty() || options.only.contains(&table);
    let mut results = Results::default();
    if wanted(Table::Requests) {
        results.requests = requests::rows(&place, options).await?;
    }
    if wanted(Table::Locks) {
        results.locks = locks::rows(&place, options).await?;
    }
    if wanted(Table::Invalidation) {
        results.invalidations = invalidation::rows(&place, options).await?;
    }
    drop(step);

    let text = report::markdown(&results, options, &machine::description(&place.program));
    println!("\n{text}");
    if options.only.is_empty() {
        let path = workspace::root().join("bench/results.md");
        std::fs::write(&path, &text)?;
        println!("written to {}", path.display());
    }
    Ok(())
}
