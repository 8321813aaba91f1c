//! What is built, and how.

use std::path::PathBuf;

use anyhow::Result;

use crate::command;
use crate::step::Steps;
use crate::wasm::Toolchain;
use crate::workspace;

/// The profile of the host that `up` and the tests run: optimised, without link-time optimisation.
pub const QUICK: &str = "quick";

/// Installs the wasm toolchain, builds the components and the host.
pub fn everything() -> Result<()> {
    let mut steps = Steps::new(3);
    let step = steps.next("looking for the tools");
    let toolchain = Toolchain::ensure()?;
    drop(step);
    let step = steps.next("building the components");
    components(toolchain, &[])?;
    drop(step);
    let _step = steps.next("building the host");
    host(QUICK).map(drop)
}

/// Builds all components and the packages in `more` into target/wasm32-wasip2/release.
pub fn components(toolchain: Toolchain, more: &[&str]) -> Result<()> {
    let mut cargo = toolchain.cargo_build();
    for package in workspace::components().iter().map(String::as_str).chain(more.iter().copied()) {
        cargo.args(["-p", package]);
    }
    command::run(&mut cargo)
}

/// Builds the components that the host's own tests run, where there are any.
pub fn guests(toolchain: Toolchain) -> Result<()> {
    let manifest = workspace::root().join("host/tests/guests/Cargo.toml");
    if !manifest.is_file() {
        return Ok(());
    }
    // A workspace of its own, with a target folder of its own.
    let mut cargo = toolchain.cargo_build();
    cargo.arg("--manifest-path").arg(manifest).env("CARGO_TARGET_DIR", workspace::target().join("guests"));
    command::run(&mut cargo)
}

/// Builds the host; returns its program.
pub fn host(profile: &str) -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--profile", profile, "--bin", "tumbler-host"]);
    if profile == QUICK {
        // Selects the features that all members ask for, as the tests do: the two share one build of everything.
        cargo.arg("--workspace");
    } else {
        cargo.args(["-p", "tumbler-host"]);
    }
    command::run(&mut cargo)?;
    Ok(workspace::target().join(profile).join("tumbler-host"))
}
