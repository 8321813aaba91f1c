//! Many readers of events at once: what they cost the host, and how long an event takes to reach them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::application::{Application, Environment};
use super::cpu::{self, CpuTime};
use super::http::Client;
use super::options::Options;

const READERS: usize = 1_000;
/// Readers that connect at the same time.
const BATCH: usize = 50;
const EVENTS_PER_SECOND: u32 = 10;
/// How long all readers may take to connect, and the last events to arrive.
const LIMIT: Duration = Duration::from_secs(60);

/// A row.
pub struct Readers {
    pub name: &'static str,
    /// Resident memory of the host, in bytes.
    pub memory: Option<u64>,
    /// CPU time of the host and of Redis per second.
    pub host: Option<f64>,
    pub redis: Option<f64>,
    /// From the request that publishes an event to its arrival, at all readers; `None` without events.
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
}

/// Measures all rows on one host.
///
/// # Errors
/// If a reader ends, or misses an event.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Readers>> {
    let app = environment.start("spin.toml", &[]).await?;
    let (sender, mut arrivals) = unbounded_channel();
    let mut rows = vec![row("no readers", &app, options, 0, &mut arrivals).await?];
    let mut readers = JoinSet::new();
    for _ in 0..READERS / BATCH {
        let opened = (0..BATCH).map(|_| open(app.address.clone())).collect::<JoinSet<_>>().join_all();
        for reader in timeout(LIMIT, opened).await.context("the readers do not get a response")? {
            readers.spawn(read(reader?, sender.clone()));
        }
    }
    rows.push(row("1,000 readers, no events", &app, options, 0, &mut arrivals).await?);
    rows.push(row("1,000 readers, 10 events/s", &app, options, EVENTS_PER_SECOND, &mut arrivals).await?);
    ensure!(readers.try_join_next().is_none(), "a reader has ended");
    Ok(rows)
}

async fn row(
    name: &'static str,
    app: &Application,
    options: &Options,
    events_per_second: u32,
    arrivals: &mut UnboundedReceiver<Duration>,
) -> Result<Readers> {
    eprintln!("      {name}");
    // After the work of connecting.
    sleep(Duration::from_secs(2)).await;
    let cpu = || (app.processes.host.and_then(CpuTime::of_group), CpuTime::of_group(app.processes.redis));
    let (start, before) = (Instant::now(), cpu());
    let events = publish(app, options.seconds_in_all(), events_per_second).await?;
    let mut delays = Vec::new();
    for _ in 0..events * READERS {
        let arrival = timeout(LIMIT, arrivals.recv()).await.context("a reader has missed an event")?;
        delays.push(arrival.context("all readers have ended")?);
    }
    let (elapsed, after) = (start.elapsed(), cpu());
    let share = |before: Option<CpuTime>, after: Option<CpuTime>| {
        Some(after?.since(&before?).as_secs_f64() / elapsed.as_secs_f64())
    };
    delays.sort_unstable();
    let percentile = |percent: usize| delays.get(delays.len().saturating_sub(1) * percent / 100).copied();
    Ok(Readers {
        name,
        memory: app.processes.host.and_then(cpu::resident_bytes_of_group),
        host: share(before.0, after.0),
        redis: share(before.1, after.1),
        p50: percentile(50),
        p99: percentile(99),
    })
}

/// Publishes for some seconds, and returns the number of events.
async fn publish(app: &Application, seconds: u64, per_second: u32) -> Result<usize> {
    if per_second == 0 {
        sleep(Duration::from_secs(seconds)).await;
        return Ok(0);
    }
    let mut client = Client::connect(&app.address)?;
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = seconds as usize * per_second as usize;
    for _ in 0..events {
        ticks.tick().await;
        let body = format!("{{\"sentUs\":{}}}", now().as_micros());
        client.send("POST", "/api/publish/bench", &[], &body, 202)?;
    }
    Ok(events)
}

/// Opens a response with events, and returns it after its head.
///
/// # Errors
/// If the response is not a stream of events.
pub async fn open(address: String) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!("GET /api/events?channel=bench HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    ensure!(line.starts_with("HTTP/1.1 200"), "the response to a reader is {line:?}");
    while !line.starts_with("retry:") {
        line.clear();
        ensure!(reader.read_line(&mut line).await? > 0, "a reader was closed at once");
    }
    Ok(reader)
}

/// Sends how long each event took, until the response ends.
async fn read(reader: BufReader<TcpStream>, arrivals: UnboundedSender<Duration>) -> Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next_line().await? {
        let sent_us = || line.strip_prefix("data:")?.split_once("\"sentUs\":")?.1.split_once('}')?.0.parse().ok();
        if let Some(sent_us) = sent_us() {
            arrivals.send(now().saturating_sub(Duration::from_micros(sent_us)))?;
        }
    }
    Ok(())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
