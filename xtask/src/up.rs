//! `cargo xtask up`: runs the whole application on this machine until Ctrl-C.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use dev_servers::{Output, Process, Signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::build::QUICK;
use crate::data::Data;
use crate::kept_secret::{ADMIN_TOKEN, API_TOKEN, JWT_SECRET, Secret};
use crate::steps::Steps;
use crate::stores::{self, Stores};
use crate::wasm::Toolchain;
use crate::{build, packages, probe, routes, variables, workspace};

/// The default address, the same as Spin's.
pub const LISTEN: &str = "127.0.0.1:3000";
/// How long the host may take to start, including the compilation of all components.
const START: Duration = Duration::from_secs(120);
/// How long the host may take to stop: more than the 10 s that it gives the requests in flight.
const DRAIN: Duration = Duration::from_secs(12);

/// The variable that says who may use `/users`.
const USERS_ACCESS: &str = "users_access";

/// The secrets of the application.
struct Secrets {
    admin: Secret,
    api: Secret,
    jwt: Secret,
}

/// Runs the application. `host_args` are passed to the host unchanged, except `--listen`.
///
/// # Errors
/// If something cannot be built, installed or started, or the host exits unexpectedly.
pub async fn run(mut listen: String, mut host_args: Vec<String>) -> Result<()> {
    // clap passes everything after the first unknown option on to the host.
    if let Some(index) = host_args.iter().position(|arg| arg == "--listen") {
        let mut pair = host_args.drain(index..(index + 2).min(host_args.len()));
        listen = pair.nth(1).context("--listen needs an address, such as 127.0.0.1:3001")?;
    } else if let Some(index) = host_args.iter().position(|arg| arg.starts_with("--listen=")) {
        listen = host_args.remove(index).split_off("--listen=".len());
    }
    let data = Data::lock(&format!("`cargo xtask up` at http://{listen}"))?;
    check_address(&listen)?;
    stores::check_args(&host_args)?;
    let secrets = Secrets {
        admin: ADMIN_TOKEN.choose(&host_args, data.folder())?,
        api: API_TOKEN.choose(&host_args, data.folder())?,
        jwt: JWT_SECRET.choose(&host_args, data.folder())?,
    };

    let mut steps = Steps::new(5);
    steps.next("checking the tools");
    packages::ensure(&stores::packages())?;
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    build::components(toolchain, &[])?;
    steps.next("building the host");
    let program = build::host(QUICK)?;
    // From here on, servers must be stopped in order. Until here, Ctrl-C ends this program and cargo.
    let mut stop = StopSignals::new()?;
    steps.next("starting Redis and PostgreSQL");
    let mut stores = tokio::select! {
        stores = Stores::start(&data, &host_args) => stores?,
        () = stop.received() => bail!("stopped"),
    };
    steps.next("starting the application");
    let mut host = start_host(&program, &listen, &host_args, &stores, &secrets)?;
    let manifest = workspace::root().join("spin.toml");
    let ready = async {
        host.until(START, async || TcpStream::connect(&listen).is_ok()).await?;
        probe::run(&listen, &manifest).await
    };
    tokio::select! {
        ready = ready => ready?,
        () = stop.received() => bail!("stopped"),
    }
    drop(steps);

    announce(&listen, &host_args, &stores, &data, &secrets)?;
    let failure = tokio::select! {
        () = stop.received() => None,
        status = host.ended() => Some(anyhow!("the host exited unexpectedly ({status}): its log above says why")),
        failed = stores.keep_running() => failed.err(),
    };
    if host.exited().is_none() {
        eprintln!("\nStopping. Press Ctrl-C again to stop without waiting for requests in flight.");
        tokio::select! {
            stopped = host.stop(Signal::TERM, DRAIN) => drop(stopped),
            () = stop.received() => {}
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
    secrets: &Secrets,
) -> Result<Process> {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(["up", "--from", "spin.toml", "--listen", listen]);
    stores.add_variables(&mut command)?;
    for secret in [&secrets.admin, &secrets.api, &secrets.jwt] {
        secret.add_to(&mut command);
    }
    if !variables::is_set(host_args, USERS_ACCESS) {
        // The default of spin.toml is that everybody may change users.
        command.env(variables::environment(USERS_ACCESS), "token");
    }
    command.args(host_args);
    Ok(Process::spawn("the host", command, Output::Inherited, Signal::TERM)?)
}

fn check_address(listen: &str) -> Result<()> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{listen} is in use by another program: choose another address, such as --listen 127.0.0.1:3001")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {listen}")),
    }
}

fn announce(listen: &str, host_args: &[String], stores: &Stores, data: &Data, secrets: &Secrets) -> Result<()> {
    println!("\nTumbler is running at http://{listen}\n\nRoutes");
    for line in routes::of(&workspace::root().join("spin.toml"))? {
        println!("  {line}");
    }
    println!("\nServers");
    for line in stores.described(data)? {
        println!("  {line}");
    }
    println!("\nTry");
    // If the user has set users_access, it may be `open` or `jwt`.
    if !variables::is_set(host_args, USERS_ACCESS) {
        let field = header_field(&secrets.api, "api-token", "YOUR_API_TOKEN");
        let user = "'{\"name\": \"Ada\", \"email\": \"ada@example.org\"}'";
        println!("  curl -i http://{listen}/users -H {field} --json {user}");
        println!("  curl -i http://{listen}/users/1 -H {field}");
    }
    println!("  curl -i http://{listen}/health/ready");
    let admin = header_field(&secrets.admin, "admin-token", "YOUR_ADMIN_TOKEN");
    println!("  curl -i http://{listen}/admin/cache/stats -H {admin}");
    if let Secret::Kept { .. } = secrets.jwt {
        let token = "authorization: Bearer $(cargo xtask token --sub 1)";
        println!("  curl -i http://{listen}/sellers -H \"{token}\" --json '{{\"businessName\": \"Engines\"}}'");
    }
    println!("\nCtrl-C stops everything. The data stays until `cargo xtask reset`.\n");
    Ok(())
}

/// The header field for an example, with the token that is kept in `file`. It does not show the token: the output may
/// be copied to other people.
fn header_field(token: &Secret, file: &str, given: &str) -> String {
    match token {
        Secret::Given => format!("\"authorization: Bearer ${given}\""),
        Secret::Kept { .. } => format!("\"authorization: Bearer $(cat .tumbler/{file})\""),
    }
}

/// Ctrl-C and the other signals that stop this program.
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot handle signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
