//! `cargo xtask bench`: requests per second, latency and CPU time beside a native program, an earlier commit or a real
//! Spin; starts and memory; sellers; locks; what logs and limits cost; readers of events; large invalidations;
//! overload; hostile clients.

pub mod application;
mod attacks;
mod baseline;
mod clients;
mod cpu;
mod estimate;
mod http;
mod invalidation;
mod locks;
mod machine;
mod measure;
mod native;
mod open_loop;
mod operations;
mod options;
mod overload;
mod readers;
mod redis_benchmark;
mod report;
mod requests;
mod resp;
mod sellers;
mod starts;
mod values;
mod wrk;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{build, packages};
use application::{Build, Environment};
pub use options::Options;
use options::Table;
use report::Section;

/// Measures the selected tables and prints them; with `--write`, they are also put into bench/results.md.
///
/// # Errors
/// If something cannot be built or started, or a response is wrong: wrong responses are not measured.
pub async fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(4);
    steps.next("checking the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES, packages::WRK, packages::REDIS_BENCHMARK])?;
    let toolchain = Toolchain::ensure()?;
    let (builds, native) = build_all(toolchain, options, &mut steps)?;
    let machine = machine::description(&builds[0].program, options);
    steps.next("measuring");
    let mut environments = Vec::new();
    for build in builds {
        environments.push(Environment::of(build, requests::USERS).await?);
    }
    let sections = measure(&environments, native.as_deref(), options).await?;
    drop(steps);

    for section in &sections {
        println!("\n{}", section.text(&machine));
    }
    if options.write {
        let path = report::write(&sections, &machine)?;
        println!("Written to {}", path.display());
    }
    Ok(())
}

/// The present build, then the baseline if there is one, then Spin if there is one; and the native program if a table
/// needs it.
fn build_all(toolchain: Toolchain, options: &Options, steps: &mut Steps) -> Result<(Vec<Build>, Option<PathBuf>)> {
    steps.next("building the components, the baseline and the native program");
    let baseline = options.baseline.as_ref().map(|commit| baseline::build(commit, toolchain, &options.profile));
    let baseline = baseline.transpose()?;
    build::components(toolchain, &["empty"])?;
    let native = options.include(Table::Requests).then(native::build).transpose()?;
    steps.next("building the host");
    let program = match std::env::var_os("TUMBLER_HOST") {
        Some(host) => host.into(),
        None => build::host(&options.profile)?,
    };
    let spin = std::env::var_os("SPIN").map(|spin| Build::of_workspace("Spin", spin.into()));
    let builds = [Some(Build::of_workspace("", program)), baseline, spin];
    Ok((builds.into_iter().flatten().collect(), native))
}

async fn measure(environments: &[Environment], native: Option<&Path>, options: &Options) -> Result<Vec<Section>> {
    let names: Vec<&str> = environments.iter().map(|environment| environment.build.name.as_str()).collect();
    // The other tables are about the present build only.
    let present = &environments[0];
    let mut sections = Vec::new();
    if let Some(native) = native {
        sections.extend(report::requests(&requests::rows(environments, native, options).await?, &names));
    }
    if options.include(Table::Starts) {
        sections.push(report::starts(&starts::rows(environments, options).await?, &names));
    }
    if options.include(Table::Sellers) {
        sections.push(report::sellers(&sellers::rows(present, options).await?));
    }
    if options.include(Table::Locks) {
        sections.push(report::locks(&locks::rows(present, options).await?));
    }
    if options.include(Table::Operations) {
        sections.push(report::operations(&operations::rows(present, options).await?));
    }
    if options.include(Table::Values) {
        sections.push(report::values(&values::rows(present, options).await?));
    }
    if options.include(Table::Events) {
        sections.push(report::events(&readers::rows(present, options).await?));
    }
    if options.include(Table::Invalidation) {
        sections.push(report::invalidations(&invalidation::rows(present, options).await?));
    }
    if options.include(Table::Attacks) {
        sections.push(report::attacks(&attacks::rows(present, options).await?));
    }
    if options.include(Table::Overload) {
        sections.push(report::overload(&overload::rows(present, options).await?));
    }
    Ok(sections)
}
