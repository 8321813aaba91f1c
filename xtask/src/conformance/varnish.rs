//! Varnish, a shared cache, in front of the application. It keeps what the application's `Cache-Control` allows. A
//! response without `Cache-Control` it keeps for 120 s.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use dev_servers::{Output, Port, Process, Signal};

use super::exchange::one;
use super::{Row, freshness};

/// How long Varnish may take to start. It compiles its configuration with a C compiler.
const START: Duration = Duration::from_secs(60);

/// Starts Varnish in front of `origin` and changes users through it.
///
/// # Errors
/// If Varnish does not start, or a request gets no response.
pub async fn rows(origin: &str) -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("tumbler-varnish-").tempdir()?;
    let port = Port::reserve()?;
    let address = format!("127.0.0.1:{}", port.number());
    let mut command = Command::new("varnishd");
    command.args(["-F", "-j", "none", "-a", &address, "-b", origin, "-s", "malloc,64m"]);
    // Nothing beyond the lifetime that the application allows.
    command.args(["-p", "default_grace=0", "-p", "default_keep=0"]).arg("-n").arg(folder.path().join("work"));
    // Debian has it in /usr/sbin, which is not in everybody's PATH.
    command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
    let log = folder.path().join("varnish.log");
    let mut varnish = Process::spawn("Varnish", command, Output::Log(&log), Signal::TERM)?;
    varnish.until(START, async || TcpStream::connect(&address).is_ok()).await?;

    let mut rows = vec![control(&address)?];
    rows.extend(freshness::rows(&address)?);
    Ok(rows)
}

/// Varnish must keep what it may keep: otherwise the other cases prove nothing.
fn control(address: &str) -> Result<Row> {
    let get = || one(address, "GET /.well-known/spin/info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    get()?;
    // A hit names two requests: this one, and the one that fetched the response.
    let from = get()?.field("x-varnish").unwrap_or_default();
    let is_hit = from.split(' ').count() == 2;
    let found = if is_hit { "a hit" } else { "not a hit" }.to_owned();
    Ok(Row { case: format!("{:17} keeps what it may keep", "Varnish"), found, passed: is_hit })
}
