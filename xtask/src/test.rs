//! `cargo xtask test`: everything that the tests need, and all the tests.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use dev_servers::{Durability, PostgresServer, programs};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::build::QUICK;
use crate::step::Steps;
use crate::wasm::Toolchain;
use crate::{build, command, packages, workspace};

/// Runs the tests that `filter` (options of cargo-nextest) leaves, all by default. With `SPIN` set to a real Spin: the
/// black-box tests, on that.
///
/// # Errors
/// If a test fails, or something cannot be built or started.
pub async fn run(filter: &[String]) -> Result<()> {
    let real_spin = std::env::var_os("SPIN").is_some();
    let selection: &[&str] = if real_spin { &["-p", "blackbox"] } else { &["--workspace"] };
    let mut steps = Steps::new(if real_spin { 4 } else { 6 });
    // Ctrl-C reaches the runner as well: it ends, and then we clean up.
    let _interrupt = signal(SignalKind::interrupt()).context("cannot watch signals")?;

    let step = steps.next("looking for the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES])?;
    let toolchain = Toolchain::ensure()?;
    drop(step);
    let step = steps.next("building the components");
    build::components(toolchain, &["empty"])?;
    build::guests(toolchain)?;
    drop(step);
    if !real_spin {
        let step = steps.next("building the host and the tests");
        // In one go, so that cargo settles on one set of features for both: else it would compile wasmtime twice. Not
        // --lib: a component's library can only be linked as wasm.
        command::run(command::cargo().arg("build").args(selection).args(["--bins", "--tests", "--profile", QUICK]))?;
        drop(step);
    }
    let step = steps.next("starting PostgreSQL");
    let servers = Servers::start().await?;
    drop(step);
    let step = steps.next("running the tests");
    command::run(servers.name_in(&mut runner(selection, filter)))?;
    drop(step);
    if !real_spin && filter.is_empty() {
        let _step = steps.next("running the examples in the documentation");
        command::run(command::cargo().args(["test", "--doc", "--profile", QUICK]).args(selection))?;
    }
    Ok(())
}

/// The server that all black-box tests share, in a folder of its own.
struct Servers {
    postgres: PostgresServer,
    /// Deleted after the server has ended.
    _folder: TempDir,
}

impl Servers {
    async fn start() -> Result<Self> {
        // The user that PostgreSQL runs as must be able to enter.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("tumbler-test-").permissions(open).tempdir()?;
        let postgres = PostgresServer::start(&folder.path().join("postgres"), Durability::Volatile).await?;
        postgres.cluster().prepare_template(&workspace::root().join("migrations")).await?;
        Ok(Self { postgres, _folder: folder })
    }

    fn name_in<'a>(&self, runner: &'a mut Command) -> &'a mut Command {
        runner.env("TUMBLER_TEST_DATABASE_URL", self.postgres.url());
        runner.env("TUMBLER_TEST_POSTGRES_LOG", self.postgres.log())
    }
}

fn runner(selection: &[&str], filter: &[String]) -> Command {
    // Filters differ between the two; without any, the only loss is speed.
    if has_nextest() {
        let mut nextest = command::cargo();
        nextest.args(["nextest", "run", "--cargo-profile", QUICK]).args(selection).args(filter);
        nextest
    } else {
        eprintln!("      cargo-nextest is not installed: `cargo test` runs them, which takes longer");
        let mut test = command::cargo();
        test.args(["test", "--profile", QUICK, "--lib", "--bins", "--tests"]).args(selection).args(filter);
        test
    }
}

fn has_nextest() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    programs::in_path("cargo-nextest").is_some() || home.is_some_and(|home| home.join("bin/cargo-nextest").is_file())
}
