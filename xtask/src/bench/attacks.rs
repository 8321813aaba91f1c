//! Hostile and slow clients: what the other clients notice of them.

use std::future::pending;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::application::{Application, Environment};
use super::clients;
use super::cpu::{self, CpuTime};
use super::http::{self, Client};
use super::options::Options;
use super::wrk::Report;

/// Clients that are measured. Each pauses after a response, so that they do not use the whole machine.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(5);
/// How long a hostile client waits before it sends its next byte.
const DRIP: Duration = Duration::from_secs(3);
/// How long a hostile client waits before it connects again.
const AGAIN: Duration = Duration::from_millis(200);
/// Pipelined requests whose responses nobody reads.
const UNREAD: usize = 400;
/// More than the host receives before a request takes a place in an instance.
const LONG_START: usize = 70_000;
/// How long an attack runs before the measurement.
const BEFORE: Duration = Duration::from_secs(5);

/// What the hostile clients do.
#[derive(Clone, Copy)]
enum Attack {
    /// They send nothing.
    Silence,
    /// They send the header byte by byte.
    SlowHeader,
    /// They send the first byte of a body, and then nothing.
    OneByteOfBody,
    /// They send 70,000 bytes of a body, and then a byte at a time.
    SlowBody,
    /// They send requests, and read no response.
    Unread,
    /// They disconnect before the response.
    Gone,
}

/// The rows, and the number of hostile clients in each.
const ROWS: [(&str, Option<(Attack, usize)>); 7] = [
    ("no other clients", None),
    ("2,000 connections that send nothing", Some((Attack::Silence, 2_000))),
    ("2,000 headers, byte by byte", Some((Attack::SlowHeader, 2_000))),
    ("2,000 × POST /users, one byte of the body", Some((Attack::OneByteOfBody, 2_000))),
    ("500 × POST /users/batch, 70 KB of the body, then byte by byte", Some((Attack::SlowBody, 500))),
    ("200 × 400 GET /users whose responses nobody reads", Some((Attack::Unread, 200))),
    ("20 clients that disconnect before the response, again and again", Some((Attack::Gone, 20))),
];

/// A row.
pub struct Attacked {
    pub name: &'static str,
    /// Of the clients that are measured: all responses must be 200.
    pub report: Report,
    /// CPU time of the host per second.
    pub host: Option<f64>,
    /// Resident memory of the host, in bytes.
    pub memory: Option<u64>,
}

/// Measures all rows, each on a host of its own.
///
/// # Errors
/// If a client that is measured gets anything but 200.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Attacked>> {
    raise_descriptors()?;
    let mut rows = Vec::new();
    for (name, attack) in ROWS {
        eprintln!("      {name}");
        let app = environment.start("spin.toml", &[]).await?;
        http::get(&app.address, "/users/1", &[], 200)?;
        let mut hostile = JoinSet::new();
        for _ in 0..attack.map_or(0, |(_, count)| count) {
            let (attack, address) = (attack.expect("there are clients").0, app.address.clone());
            hostile.spawn(async move { attack.forever(&address).await });
        }
        sleep(BEFORE).await;
        rows.push(row(name, &app, options).await.with_context(|| format!("while there were {name}"))?);
    }
    Ok(rows)
}

async fn row(name: &'static str, app: &Application, options: &Options) -> Result<Attacked> {
    let host_cpu = || app.processes.host.and_then(CpuTime::of_group);
    let (start, before) = (Instant::now(), host_cpu());
    let (address, seconds) = (app.address.clone(), options.seconds_in_all());
    // The hostile clients run on this thread.
    let measured =
        tokio::task::spawn_blocking(move || clients::run(CLIENTS, seconds, |_, until| reads(&address, until)));
    let report = measured.await??;
    let elapsed = start.elapsed().as_secs_f64();
    let host = host_cpu().zip(before).map(|(after, before)| after.since(&before).as_secs_f64() / elapsed);
    Ok(Attacked { name, report, host, memory: app.processes.host.and_then(cpu::resident_bytes_of_group) })
}

/// Reads a cached user again and again, each time on the same connection.
fn reads(address: &str, until: Instant) -> Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        client.send("GET", "/users/1", &[], "", 200)?;
        latencies.push(start.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(latencies)
}

/// Thousands of connections need more descriptors than a program has by default.
fn raise_descriptors() -> Result<()> {
    let needed = 2_000 + 200;
    let maximum = getrlimit(Resource::Nofile).maximum;
    ensure!(maximum.is_none_or(|maximum| maximum >= needed), "`ulimit -H -n` must be at least {needed}");
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum.or(Some(needed)), maximum })?)
}

impl Attack {
    /// Connects again whenever the server closes the connection.
    async fn forever(self, address: &str) {
        loop {
            // The host should close such connections, so an error is no failure.
            let _ = self.once(address).await;
            sleep(AGAIN).await;
        }
    }

    /// Until the server closes the connection.
    async fn once(self, address: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        let post = |path: &str, length: usize| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n"
            )
        };
        match self {
            Self::Silence => {}
            Self::SlowHeader => return drip(&mut stream, "GET /users/1 HTTP/1.1\r\nx: ", 'x').await,
            Self::OneByteOfBody => stream.write_all((post("/users", 1_000) + "{").as_bytes()).await?,
            Self::SlowBody => {
                let start = post("/users/batch", 10 * LONG_START) + "[" + &" ".repeat(LONG_START);
                return drip(&mut stream, &start, ' ').await;
            }
            Self::Unread => {
                let request = format!("GET /users?limit=100 HTTP/1.1\r\nhost: {address}\r\n\r\n");
                stream.write_all(request.repeat(UNREAD).as_bytes()).await?;
                return pending().await;
            }
            Self::Gone => {
                let request = format!("GET /users?limit=100 HTTP/1.1\r\nhost: {address}\r\n\r\n");
                return stream.write_all(request.as_bytes()).await;
            }
        }
        while stream.read(&mut [0; 4096]).await? > 0 {}
        Ok(())
    }
}

/// Sends `start`, then one byte at a time.
async fn drip(stream: &mut TcpStream, start: &str, byte: char) -> io::Result<()> {
    stream.write_all(start.as_bytes()).await?;
    loop {
        sleep(DRIP).await;
        stream.write_all(&[byte as u8]).await?;
    }
}
