//! `cargo xtask fuzz`: searches for input that breaks a property of `fuzz/`, with libFuzzer.
//!
//! The stable compiler can do that: LLVM's coverage is a code generation option. (Its sanitizers are not, but the project
//! has hardly any unsafe code that they could check.)

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::steps::Steps;
use crate::{command, workspace};

/// What libFuzzer needs to see which code an input reaches: <https://llvm.org/docs/LibFuzzer.html>, and the same options
/// as those of cargo-fuzz.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
const PROFILE: &str = "fuzz";
/// Bytes of an input, at most.
const INPUT_MAX: usize = 2_048;

/// The options of the command.
#[derive(Args)]
pub struct Options {
    /// How long each property is tried, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Folders of fuzz/corpus; all if there are none
    properties: Vec<String>,
}

/// Builds the program and tries each property. Inputs that reach new code are kept in target/fuzz-corpus, those that
/// break a property in fuzz/corpus, where they become tests.
///
/// # Errors
/// If a property does not hold, or something cannot be built.
pub fn run(options: &Options) -> Result<()> {
    let all = properties()?;
    for name in &options.properties {
        ensure!(all.contains(name), "{name} is none of {}", all.join(", "));
    }
    let chosen = if options.properties.is_empty() { &all } else { &options.properties };
    let mut steps = Steps::new(1 + chosen.len());
    steps.next("building the properties with coverage");
    let program = build()?;
    let mut broken = Vec::new();
    for name in chosen {
        steps.next(name);
        let kept = corpus().join(name);
        let found = workspace::target().join("fuzz-corpus").join(name);
        fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        let mut fuzzer = std::process::Command::new(&program);
        fuzzer.env("FUZZ_PROPERTY", name).arg(&found).arg(&kept);
        fuzzer.args(["-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_funcs=0", "-print_final_stats=1"]);
        fuzzer.arg(format!("-max_len={INPUT_MAX}")).arg(format!("-max_total_time={}", options.seconds));
        fuzzer.arg(format!("-artifact_prefix={}/", kept.display()));
        if let Err(error) = command::run(&mut fuzzer) {
            eprintln!("{error:#}");
            broken.push(name.as_str());
        }
    }
    ensure!(broken.is_empty(), "broken: {}; the inputs are in fuzz/corpus", broken.join(", "));
    Ok(())
}

fn corpus() -> PathBuf {
    workspace::root().join("fuzz/corpus")
}

/// The names of all properties.
fn properties() -> Result<Vec<String>> {
    let entries = fs::read_dir(corpus()).context("cannot read fuzz/corpus")?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Builds the program; returns its path. The options are only for the target, so that build scripts run without them.
fn build() -> Result<PathBuf> {
    let version = command::output(command::cargo().args(["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo does not say its host")?;
    let mut cargo = command::cargo();
    cargo.args(["build", "-p", "fuzz", "--features", "libfuzzer", "--profile", PROFILE, "--target", host]);
    command::run(cargo.env("RUSTFLAGS", COVERAGE))?;
    Ok(workspace::target().join(host).join(PROFILE).join("fuzz"))
}
