//! `cargo xtask test`: builds everything that the tests need and runs them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use dev_servers::{Durability, PostgresServer, programs};
use tokio::signal::unix::{SignalKind, signal};

use crate::build::QUICK;
use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{build, command, packages, workspace};

/// Runs the tests that `filter` (arguments of cargo-nextest) selects; all if it is empty. If the environment variable
/// `SPIN` is set, only the black-box tests run, on that Spin.
///
/// # Errors
/// If a test fails, or something cannot be built or started.
pub async fn run(filter: &[String]) -> Result<()> {
    let real_spin = std::env::var_os("SPIN").is_some();
    let selection: &[&str] = if real_spin { &["-p", "blackbox"] } else { &["--workspace"] };
    let doc_tests = !real_spin && filter.is_empty();
    let mut steps = Steps::new(4 + usize::from(!real_spin) + usize::from(doc_tests));
    // Ctrl-C ends the test runner, which is in our process group; handling it here lets this process clean up.
    let _interrupt = signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?;

    steps.next("checking the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES])?;
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    build::components(toolchain, &["empty"])?;
    build::guests(toolchain)?;
    if !real_spin {
        steps.next("building the host and the tests");
        build::host_and_tests()?;
    }
    steps.next("starting PostgreSQL");
    // The user that PostgreSQL runs as must be able to enter the folder.
    let open = Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("tumbler-test-").permissions(open).tempdir()?;
    let postgres = PostgresServer::start(&folder.path().join("postgres"), Durability::Volatile).await?;
    postgres.cluster().prepare_template(&workspace::root().join("migrations")).await?;

    steps.next("running the tests");
    let mut runner = runner(selection, filter);
    // All black-box tests share this server.
    runner.env("TUMBLER_TEST_DATABASE_URL", postgres.cluster().url()).env("TUMBLER_TEST_POSTGRES_LOG", postgres.log());
    command::run(&mut runner)?;
    if doc_tests {
        steps.next("running the examples in the documentation");
        command::run(command::cargo().args(["test", "--doc", "--profile", QUICK]).args(selection))?;
    }
    Ok(())
}

fn runner(selection: &[&str], filter: &[String]) -> Command {
    let mut runner = command::cargo();
    if has_nextest() {
        runner.args(["nextest", "run", "--cargo-profile", QUICK]);
    } else {
        eprintln!(
            "      using `cargo test`, which is slower; to install cargo-nextest: cargo install --locked cargo-nextest"
        );
        runner.args(["test", "--no-fail-fast", "--profile", QUICK, "--lib", "--bins", "--tests"]);
    }
    runner.args(selection).args(filter);
    runner
}

fn has_nextest() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    programs::in_path("cargo-nextest").is_some() || home.is_some_and(|home| home.join("bin/cargo-nextest").is_file())
}
