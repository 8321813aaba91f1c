//! `tumbler-host up`: runs a Spin application, with the arguments of `spin up`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tumbler_host::manifest::{self, Source, VariableSource};
use tumbler_host::run::{self, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A lean host for Spin applications.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an application.
    Up(Up),
}

#[derive(Args)]
struct Up {
    /// The manifest, or its folder.
    #[arg(short, long, value_name = "MANIFEST", default_value = "spin.toml")]
    from: PathBuf,

    /// Set a variable: NAME=VALUE, NAME=@FILE, or @FILE.json or @FILE.toml for several. May be repeated.
    #[arg(long, value_name = "VARIABLE")]
    variable: Vec<VariableSource>,

    /// Set an environment variable for all components: NAME=VALUE. May be repeated.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_env)]
    env: Vec<(String, String)>,

    #[command(flatten)]
    options: Options,
}

fn parse_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn up(up: &Up) -> anyhow::Result<()> {
    let mut variables = HashMap::new();
    for source in &up.variable {
        source.read_into(&mut variables)?;
    }
    let source = Source::read(&up.from)?;
    let app = manifest::resolve(&source, &variables, |name| std::env::var(name).ok(), &up.env)?;
    run::serve(app, &up.options)
}

fn main() -> ExitCode {
    let Command::Up(arguments) = Cli::parse().command;
    match up(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
