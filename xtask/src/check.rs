//! `cargo xtask check`: formatting, lints and dependencies.

use anyhow::{Context, Result};

use crate::build::QUICK;
use crate::command;
use crate::dependencies;
use crate::steps::Steps;

/// Fails if a file is not formatted, clippy has a warning, or cargo-deny refuses a dependency.
pub fn run() -> Result<()> {
    let mut steps = Steps::new(3);
    steps.next("checking the formatting");
    command::run(command::cargo().args(["fmt", "--all", "--check"])).context("run `cargo fmt` to format the files")?;
    steps.next("running clippy");
    // With the profile of the tests: both share the build scripts and macros.
    let mut clippy = command::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--profile", QUICK, "--", "-D", "warnings"]);
    command::run(&mut clippy)?;
    steps.next("checking the dependencies");
    dependencies::check()
}
