//! The commands of the project: `cargo xtask help`.

mod bench;
mod build;
mod check;
mod command;
mod conformance;
mod data;
mod dependencies;
mod egress;
mod fuzz;
mod kept_secret;
mod packages;
mod probe;
mod restarts;
mod routes;
mod soak;
mod steps;
mod stores;
mod test;
mod token;
mod up;
mod variables;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and measure Tumbler
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
#[command(
    after_help = "`cargo xtask up` is where to start. `cargo xtask <COMMAND> --help` shows options and examples."
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build and run Tumbler with its own Redis and PostgreSQL, until Ctrl-C
    #[command(after_help = UP_EXAMPLES)]
    Up {
        /// The address to listen on
        #[arg(long, default_value = up::LISTEN)]
        listen: String,
        /// Options for the host, such as `--variable cache_enabled=false`; spin.toml lists the variables
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "HOST OPTIONS")]
        host: Vec<String>,
    },
    /// Print a JSON Web Token for the application that `up` runs
    #[command(after_help = TOKEN_EXAMPLES)]
    Token(token::Options),
    /// Delete the data that `up` keeps in .tumbler/
    Reset,
    /// Build everything and run the tests: all of them, a group, or one
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// Part of a test's name, and options for the test runner: cargo-nextest, or `cargo test` if that is not
        /// installed
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILTER")]
        runner: Vec<String>,
    },
    /// Build the components and the host
    Build,
    /// Check formatting, lints and dependencies, without running tests
    Check,
    /// Check the running application against the RFCs of HTTP: byte by byte, with REDbot, and behind Varnish
    #[command(after_help = CONFORMANCE_EXAMPLES)]
    Conformance(conformance::Options),
    /// Search for input that breaks a parser
    #[command(after_help = FUZZ_EXAMPLES)]
    Fuzz(fuzz::Options),
    /// Run mixed traffic for many minutes while servers fail, and check that no promise is broken
    #[command(after_help = SOAK_EXAMPLES)]
    Soak(soak::Options),
    /// Measure requests, starts, locks and more beside a native program, an earlier commit or the real Spin
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(bench::Options),
}

const UP_EXAMPLES: &str = "\
Examples:
  cargo xtask up
  cargo xtask up --listen 127.0.0.1:3001
  cargo xtask up --variable cache_enabled=false
  REDIS_URL=redis://… DATABASE_URL=postgres://… cargo xtask up   # your servers instead of private ones";

const TOKEN_EXAMPLES: &str = "\
Examples:
  cargo xtask token --sub 42
  curl -i localhost:3000/sellers -H \"authorization: Bearer $(cargo xtask token --sub 42 --role admin)\"

It signs with SPIN_VARIABLE_JWT_SECRET, or else with the secret that `up` keeps in .tumbler/jwt-secret.
If SPIN_VARIABLE_JWT_ISSUER or SPIN_VARIABLE_JWT_AUDIENCE is set, the token has it.";

const TEST_EXAMPLES: &str = "\
Examples:
  cargo xtask test                              # all tests
  cargo xtask test users::                      # a group: tests whose names contain this
  cargo xtask test NAME --no-capture            # one test, with its output
  cargo xtask test -E 'package(token-lock)'     # the tests of one crate (nextest's filter language)
  SPIN=/path/to/spin cargo xtask test           # the black-box tests, on the real Spin
  REDIS_SERVER=/path/to/valkey-server cargo xtask test   # all tests, on another server than `redis-server`";

const CONFORMANCE_EXAMPLES: &str = "\
Examples:
  cargo xtask conformance
  cargo xtask conformance --only raw,varnish

It installs REDbot with pip into target/ and Varnish with apt-get. If it cannot, it says so and checks the rest.";

const FUZZ_EXAMPLES: &str = "\
Examples:
  cargo xtask fuzz --seconds 120
  cargo xtask fuzz --seconds 600 query json_body   # folders of fuzz/corpus

An input that breaks a property is kept in fuzz/corpus, where the test of the package `fuzz` checks it.";

const SOAK_EXAMPLES: &str = "\
Examples:
  cargo xtask soak --minutes 20
  cargo xtask soak --minutes 5 --seed 1234   # the choices of the run that printed this seed

It reports each minute. A violation ends it with exit code 1 and the seed.";

const BENCH_EXAMPLES: &str = "\
Examples:
  cargo xtask bench                                          # all tables, printed
  cargo xtask bench --write                                  # and put into bench/results.md
  cargo xtask bench --only requests --baseline HEAD~1        # a change against the commit before it
  SPIN=/path/to/spin cargo xtask bench --only requests       # the real Spin beside the host

docs/performance.md says how to read the tables, and how to tell a change from noise.";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the runtime starts");
    let result = runtime.block_on(async {
        match Cli::parse().task {
            Task::Up { listen, host } => up::run(listen, host).await,
            Task::Token(options) => token::run(&options),
            Task::Reset => data::reset(),
            Task::Test { runner } => test::run(&runner).await,
            Task::Build => build::everything(),
            Task::Check => check::run(),
            Task::Conformance(options) => conformance::run(&options).await,
            Task::Fuzz(options) => fuzz::run(&options),
            Task::Soak(options) => soak::run(&options).await,
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
