//! `cargo xtask bench`: requests per second, latency and CPU time; sellers; locks; what logs and limits cost; readers
//! of events; large invalidations; overload; hostile clients.

pub mod application;
mod attacks;
mod clients;
mod cpu;
mod http;
mod invalidation;
mod locks;
mod machine;
mod measure;
mod open_loop;
mod operations;
mod options;
mod overload;
mod readers;
mod report;
mod requests;
mod resp;
mod sellers;
mod values;
mod wrk;

use anyhow::Result;

use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{build, packages, workspace};
use application::Environment;
pub use options::Options;
use options::Table;
use report::Results;

/// Measures all rows and writes bench/results.md. If the environment variable `SPIN` is set, on that Spin.
///
/// # Errors
/// If something cannot be built or started, or a response is wrong: wrong responses are not measured.
pub async fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(4);
    steps.next("checking the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES, packages::WRK, packages::REDIS_BENCHMARK])?;
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    build::components(toolchain, &["empty"])?;
    steps.next("building the host with all optimisations");
    let program = match std::env::var_os("SPIN") {
        Some(spin) => spin.into(),
        None => build::host("release")?,
    };
    steps.next("measuring");
    let environment = Environment::new(program, requests::USERS).await?;
    let mut results = Results::default();
    if options.include(Table::Requests) {
        results.requests = requests::rows(&environment, options).await?;
    }
    if options.include(Table::Sellers) {
        results.sellers = sellers::rows(&environment, options).await?;
    }
    if options.include(Table::Locks) {
        results.locks = locks::rows(&environment, options).await?;
    }
    if options.include(Table::Operations) {
        results.operations = operations::rows(&environment, options).await?;
    }
    if options.include(Table::Values) {
        results.values = values::rows(&environment, options).await?;
    }
    if options.include(Table::Events) {
        results.events = readers::rows(&environment, options).await?;
    }
    if options.include(Table::Invalidation) {
        results.invalidations = invalidation::rows(&environment, options).await?;
    }
    if options.include(Table::Attacks) {
        results.attacks = attacks::rows(&environment, options).await?;
    }
    if options.include(Table::Overload) {
        results.overload = overload::rows(&environment, options).await?;
    }
    drop(steps);

    let text = report::markdown(&results, options, &machine::description(&environment.program));
    println!("\n{text}");
    if options.only.is_empty() {
        let path = workspace::root().join("bench/results.md");
        std::fs::write(&path, &text)?;
        println!("Written to {}", path.display());
    }
    Ok(())
}
