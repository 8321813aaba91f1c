//! The commands of the project: `cargo xtask help`.

mod admin_token;
mod bench;
mod build;
mod check;
mod command;
mod data;
mod egress;
mod packages;
mod probe;
mod restarts;
mod routes;
mod step;
mod stores;
mod suite;
mod up;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of the project.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing, build, start Redis, PostgreSQL and the application, until Ctrl-C
    Up {
        /// Where the application listens
        #[arg(long, default_value = up::LISTEN)]
        listen: String,
        /// Options of the host, such as `--variable cache_enabled=false`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        host: Vec<String>,
    },
    /// Delete the data that `up` keeps
    Reset,
    /// Run all tests, on servers of their own; REDIS_SERVER and SPIN name other programs than usual
    Test {
        /// Options and filters of cargo-nextest (or of `cargo test`, where that is not installed)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        runner: Vec<String>,
    },
    /// Build the components and the host
    Build,
    /// Check formatting and lints
    Check,
    /// Measure, and write bench/results.md
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the operating system has a way to wait for events");
    let result = runtime.block_on(async {
        match Cli::parse().task {
            Task::Up { listen, host } => up::run(listen, host).await,
            Task::Reset => data::reset(),
            Task::Test { runner } => suite::run(&runner).await,
            Task::Build => build::everything(),
            Task::Check => check::run(),
            Task::Bench(options) => bench::run(&options).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
