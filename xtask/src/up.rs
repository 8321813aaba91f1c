//! `cargo xtask up`: the whole application on this machine, until Ctrl-C.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use dev_servers::{Output, Process, Signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::admin_token::AdminToken;
use crate::build::QUICK;
use crate::data::Data;
use crate::step::Steps;
use crate::stores::{self, Stores};
use crate::wasm::Toolchain;
use crate::{build, packages, probe, routes, workspace};

/// Where the application listens by default, as Spin does.
pub const LISTEN: &str = "127.0.0.1:3000";
/// A cold compilation of all components included.
const START: Duration = Duration::from_secs(120);
/// A little more than the host gives its requests.
const DRAIN: Duration = Duration::from_secs(35);

/// Runs the application; `host_args` go to the host as they are.
pub async fn run(mut listen: String, mut host_args: Vec<String>) -> Result<()> {
    // clap leaves everything behind the first option of the host to the host.
    if let Some(index) = host_args.iter().position(|arg| arg == "--listen") {
        let mut pair = host_args.drain(index..(index + 2).min(host_args.len()));
        listen = pair.nth(1).context("--listen needs an address")?;
    } else if let Some(index) = host_args.iter().position(|arg| arg.starts_with("--listen=")) {
        listen = host_args.remove(index).split_off("--listen=".len());
    }
    let data = Data::take(&format!("`cargo xtask up` at http://{listen}"))?;
    check_address(&listen)?;
    stores::check_args(&host_args)?;
    let admin = AdminToken::choose(&host_args, data.folder())?;

    let mut steps = Steps::new(5);
    let step = steps.next("looking for the tools");
    packages::ensure(&stores::packages())?;
    let toolchain = Toolchain::ensure()?;
    drop(step);
    let step = steps.next("building the components");
    build::components(toolchain, &[])?;
    drop(step);
    let step = steps.next("building the host");
    let program = build::host(QUICK)?;
    drop(step);
    // From here on there is something to stop in order; before, Ctrl-C simply ends us and cargo.
    let mut stop = Stop::new()?;
    let step = steps.next("starting Redis and PostgreSQL");
    let mut stores = tokio::select! {
        stores = Stores::start(&data) => stores?,
        () = stop.asked() => bail!("stopped"),
    };
    drop(step);
    let step = steps.next("starting the application");
    let mut host = start_host(&program, &listen, &host_args, &stores, &admin)?;
    let ready = host.until(START, async || TcpStream::connect(&listen).is_ok());
    tokio::select! {
        ready = ready => ready?,
        () = stop.asked() => bail!("stopped"),
    }
    let manifest = workspace::root().join("spin.toml");
    tokio::select! {
        at_work = probe::run(&listen, &manifest) => at_work?,
        () = stop.asked() => bail!("stopped"),
    }
    drop(step);

    announce(&listen, &stores, &data, &admin)?;
    let failure = tokio::select! {
        () = stop.asked() => None,
        status = host.ended() => Some(anyhow!("the host ended by itself with {status}")),
        failed = stores.keep_up() => failed.err(),
    };
    if host.exited().is_none() {
        eprintln!("\nstopping; once more to stop at once");
        tokio::select! {
            stopped = host.stop(Signal::TERM, DRAIN) => drop(stopped),
            () = stop.asked() => {}
        }
    }
    drop(host);
    stores.stop().await?;
    failure.map_or(Ok(()), Err)
}

fn start_host(
    program: &Path,
    listen: &str,
    host_args: &[String],
    stores: &Stores,
    admin: &AdminToken,
) -> Result<Process> {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(["up", "--from", "spin.toml", "--listen", listen]);
    stores.add_variables(&mut command)?;
    admin.add_to(&mut command);
    command.args(host_args);
    Ok(Process::spawn("the host", command, Output::Inherited, Signal::TERM)?)
}

fn check_address(listen: &str) -> Result<()> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{listen} is in use by another program; choose another address with --listen 127.0.0.1:3001")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {listen}")),
    }
}

fn announce(listen: &str, stores: &Stores, data: &Data, admin: &AdminToken) -> Result<()> {
    println!("\nTumbler is up at http://{listen}\n\nRoutes");
    for line in routes::of(&workspace::root().join("spin.toml"))? {
        println!("  {line}");
    }
    let [redis, postgres] = stores.described(data);
    println!("\nStores\n  {redis}\n  {postgres}\n  `cargo xtask reset` deletes what is ours\n\nTry");
    println!("  curl -i http://{listen}/users --json '{{\"name\": \"Ada\", \"email\": \"ada@example.org\"}}'");
    println!("  curl -i http://{listen}/users/1");
    println!("  curl -i http://{listen}/admin/cache/stats -H {}", admin.header_field());
    println!("\nCtrl-C stops everything; the data stays.\n");
    Ok(())
}

/// Ctrl-C, or being asked to end.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let watch = |kind| signal(kind).context("cannot watch signals");
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hang_up: watch(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
