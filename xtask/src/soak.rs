//! `cargo xtask soak`: traffic, faults and slow clients for many minutes, while the invariants are checked.

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::build::QUICK;
use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{build, command, packages};

/// The options of the command.
#[derive(Args)]
pub struct Options {
    /// How long, in minutes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Repeat the random choices of an earlier run, which printed this number
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds what is needed and runs the soak of tests/races/soak. It prints its figures after each minute.
///
/// # Errors
/// If an invariant is violated, or something cannot be built or started.
pub async fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(4);
    // Ctrl-C ends the test, which is in our process group, and with it the servers.
    let _interrupt = signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?;
    steps.next("checking the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES])?;
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    build::components(toolchain, &[])?;
    steps.next("building the host and the test");
    build::host_and_races()?;
    steps.next("running the soak");
    let mut test = command::cargo();
    // With the features of `cargo xtask test`, which has compiled most of it.
    test.args(["test", "--quiet", "--profile", QUICK, "--workspace", "--test", "races", "--"]);
    test.args(["--ignored", "--exact", "--nocapture", "soak::soak"]);
    test.env("TUMBLER_SOAK_MINUTES", options.minutes.to_string());
    if let Some(seed) = options.seed {
        test.env("TUMBLER_SOAK_SEED", seed.to_string());
    }
    command::run(&mut test)
}
