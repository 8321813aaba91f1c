//! `tumbler-host up`: runs a Spin application, with the arguments of `spin up`.

mod duration;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tumbler_host::manifest::{self, Source, VariableSource};
use tumbler_host::pool::Limits;
use tumbler_host::run::{self, Options, listen};

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

    /// Address and port to listen on. With port 0 the system chooses one.
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000", value_parser = listen::parse)]
    listen: SocketAddr,

    /// Set a variable: NAME=VALUE, NAME=@FILE, or @FILE.json or @FILE.toml for several. May be repeated.
    #[arg(long, value_name = "VARIABLE")]
    variable: Vec<VariableSource>,

    /// Set an environment variable for all components: NAME=VALUE. May be repeated.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_env)]
    env: Vec<(String, String)>,

    /// Discard the output of components.
    #[arg(short, long)]
    quiet: bool,

    /// Number of threads. Default: the number of cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,

    #[command(flatten)]
    limits: LimitArgs,
}

/// Limits of instances.
#[derive(Args)]
struct LimitArgs {
    /// Requests that an instance serves before it is replaced; 1 for a new instance for each request. It serves more while
    /// long requests or responses keep it alive and --max-instances does not allow another.
    #[arg(long, value_name = "COUNT", default_value_t = 128, value_parser = parse_positive)]
    max_instance_reuse_count: usize,

    /// Requests that an instance serves concurrently.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = parse_positive)]
    max_instance_concurrent_reuse_count: usize,

    /// How long an instance without requests is kept: seconds, or with a suffix (s, ms, us, ns).
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    idle_instance_timeout: Duration,

    /// How long a request may take, in the same form. Default: no limit.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    request_timeout: Option<Duration>,

    /// Memory of an instance, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    max_instance_memory: usize,

    /// Instances of a component per thread.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = parse_positive)]
    max_instances: usize,

    /// Requests that wait for an instance of a component, per thread. Further requests are answered 503.
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = parse_positive)]
    max_queue: usize,
}

fn parse_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn parse_positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits {
            reuse: self.max_instance_reuse_count,
            concurrent: self.max_instance_concurrent_reuse_count,
            idle: self.idle_instance_timeout,
            request_timeout: self.request_timeout,
            memory: self.max_instance_memory,
            instances: self.max_instances,
            queue: self.max_queue,
        }
    }
}

fn up(up: &Up) -> anyhow::Result<()> {
    let mut variables = HashMap::new();
    for source in &up.variable {
        source.read_into(&mut variables)?;
    }
    let source = Source::read(&up.from)?;
    let app = manifest::resolve(&source, &variables, |name| std::env::var(name).ok(), &up.env)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        listen: up.listen,
        workers: up.workers.map_or_else(cores, usize::from),
        limits: up.limits.limits(),
        quiet: up.quiet,
    };
    run::serve(app, &options)
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
