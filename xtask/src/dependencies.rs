//! The dependencies: advisories, licences, sources and duplicates, as deny.toml says.

use std::process::Stdio;

use anyhow::{Context, Result};

use crate::command;

/// Runs cargo-deny. Without it, or without its database of advisories, this prints what was not checked.
///
/// # Errors
/// If cargo-deny refuses a dependency.
pub fn check() -> Result<()> {
    let run = |arguments: &[&str]| command::run(command::cargo().arg("deny").args(arguments));
    let is_installed = command::cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start cargo")?
        .success();
    if !is_installed {
        eprintln!("      SKIPPED: cargo-deny is not installed, so no advisory, licence or source was checked");
        eprintln!("      (`cargo install --locked cargo-deny` installs it)");
        return Ok(());
    }
    run(&["check", "bans", "licenses", "sources"]).context("see deny.toml")?;
    if let Err(error) = run(&["fetch", "db"]) {
        eprintln!("      SKIPPED: the database of advisories cannot be fetched, so no advisory was checked: {error:#}");
        return Ok(());
    }
    run(&["check", "--disable-fetch", "advisories"]).context("see deny.toml")
}
