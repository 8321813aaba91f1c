//! What is built, and how.

use std::path::PathBuf;

use anyhow::Result;

use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{command, workspace};

/// The profile of the host for `up` and the tests: optimised, without link-time optimisation.
pub const QUICK: &str = "quick";

/// `cargo xtask build`: installs the wasm toolchain, builds the components and the host.
pub fn everything() -> Result<()> {
    let mut steps = Steps::new(3);
    steps.next("checking the tools");
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    components(toolchain, &[])?;
    steps.next("building the host");
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

/// Builds the components for the host's own tests, and the example that they run. They are workspaces of their own,
/// with their own target folder.
pub fn guests(toolchain: Toolchain) -> Result<()> {
    for manifest in ["host/tests/guests/Cargo.toml", "examples/events/Cargo.toml"] {
        let mut cargo = toolchain.cargo_build();
        cargo.arg("--manifest-path").arg(workspace::root().join(manifest));
        command::run(cargo.env("CARGO_TARGET_DIR", workspace::target().join("guests")))?;
    }
    Ok(())
}

/// Builds the host; returns the path of its program.
pub fn host(profile: &str) -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--profile", profile, "--bin", "tumbler-host"]);
    // With the features of the workspace's other programs: they share most of the dependencies.
    cargo.args(if profile == QUICK { &["--workspace"][..] } else { &["-p", "tumbler-host"] });
    command::run(&mut cargo)?;
    Ok(workspace::target().join(profile).join("tumbler-host"))
}

/// Builds the host and all tests; returns the path of the host's program. In one command, so that both use one set of
/// features: with two, wasmtime is compiled twice.
pub fn host_and_tests() -> Result<PathBuf> {
    // Without --lib: a component's library can only be linked as wasm.
    command::run(command::cargo().args(["build", "--workspace", "--bins", "--tests", "--profile", QUICK]))?;
    Ok(workspace::target().join(QUICK).join("tumbler-host"))
}

/// Builds the host and the race tests, with the features of [`host_and_tests`].
pub fn host_and_races() -> Result<()> {
    let parts = ["--bin", "tumbler-host", "--test", "races"];
    command::run(command::cargo().args(["build", "--workspace", "--profile", QUICK]).args(parts))
}
