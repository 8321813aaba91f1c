//! Locks under load: 32 clients, each in a thread of its own, over HTTP and, as the yardstick, with the commands that the
//! component sends straight to Redis.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Options;
use super::application::Place;
use super::http::Client;
use super::measure::{Processes, Report, Row, rounds};
use super::resp::{Connection, Reply};

const TTL_MS: &str = "5000";
const WAIT_MS: &str = "30000";
/// How long a contended lock is held, and how long its client pauses before it wants it again: without a pause, the one
/// that has just released it would get it again and again.
const WORK: Duration = Duration::from_millis(1);
/// Pauses between attempts of a native client that waits, in ms; as the component's.
const PAUSE_MS: u64 = 8;
const MAX_PAUSE_MS: u64 = 64;

/// One client of a lock service.
trait Locker {
    /// Waits until the lock on `resource` is this client's; returns its token.
    fn acquire(&mut self, resource: &str) -> Result<String>;

    /// Releases it.
    fn release(&mut self, resource: &str, token: &str) -> Result<()>;
}

/// Measures all rows.
///
/// # Errors
/// If a lock is not granted or not released.
pub async fn rows(place: &Place, options: &Options) -> Result<Vec<Row>> {
    let app = place.start("spin.toml", &[]).await?;
    let of_app = Processes { host: Some(app.id()), redis: app.redis() };
    let http = || Ok(Http(Client::connect(app.address())?));
    let of_redis = Processes { host: None, redis: app.redis() };
    let native = || Native::connect(place.ports());
    let contended = format!("contended, {} clients, one resource", options.connections);
    Ok(vec![
        row("acquire + release, uncontended", of_app, options, http, false)?,
        row(&contended, of_app, options, http, true)?,
        row("acquire + release, uncontended, natively", of_redis, options, native, false)?,
        row(&format!("{contended}, natively"), of_redis, options, native, true)?,
    ])
}

fn row<L: Locker>(
    name: &str,
    processes: Processes,
    options: &Options,
    connect: impl Fn() -> Result<L> + Sync,
    contended: bool,
) -> Result<Row> {
    rounds(name, processes, options, |seconds| {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut latencies = std::thread::scope(|scope| -> Result<Vec<Duration>> {
            let client = |number: usize| {
                let connect = &connect;
                scope.spawn(move || {
                    let resource = if contended { "bench".to_owned() } else { format!("bench-{number}") };
                    work(&mut connect()?, &resource, until, contended)
                })
            };
            let clients: Vec<_> = (0..options.connections).map(client).collect();
            let latencies = clients.into_iter().map(|client| client.join().expect("it does not panic"));
            Ok(latencies.collect::<Result<Vec<_>>>()?.concat())
        })?;
        latencies.sort();
        let at = |part: f64| latencies.get((latencies.len() as f64 * part) as usize).copied().unwrap_or_default();
        let pairs = latencies.len();
        ensure!(pairs > 0, "no lock was granted in {seconds} s");
        Ok(Report { requests: 2 * pairs as u64, rate: pairs as f64 / seconds as f64, p50: at(0.5), p99: at(0.99) })
    })
}

/// Acquires and releases until the time is up. Returns how long each lock was waited for or, uncontended, how long each
/// pair took.
fn work(client: &mut impl Locker, resource: &str, until: Instant, contended: bool) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        let token = client.acquire(resource)?;
        let waited = start.elapsed();
        if contended {
            std::thread::sleep(WORK);
        }
        client.release(resource, &token)?;
        latencies.push(if contended { waited } else { start.elapsed() });
        if contended {
            std::thread::sleep(WORK);
        }
    }
    Ok(latencies)
}

/// The locks component.
struct Http(Client);

impl Locker for Http {
    fn acquire(&mut self, resource: &str) -> Result<String> {
        let body = format!(r#"{{"resource":"{resource}","ttl":{TTL_MS},"wait":{WAIT_MS}}}"#);
        loop {
            let answer = self.0.send("POST", "/api/cache/lock/acquire", &[], &body, 200)?.body;
            let token = answer.split_once(r#""token":""#).and_then(|(_, rest)| rest.split_once('"'));
            match token {
                Some((token, _)) => return Ok(token.to_owned()),
                None => ensure!(answer.contains(r#""acquired":false"#), "neither granted nor refused: {answer}"),
            }
        }
    }

    fn release(&mut self, resource: &str, token: &str) -> Result<()> {
        let body = format!(r#"{{"key":"locks:{resource}","token":"{token}"}}"#);
        let answer = self.0.send("POST", "/api/cache/lock/release", &[], &body, 200)?.body;
        ensure!(answer == r#"{"released":true}"#, "a lock was lost: {answer}");
        Ok(())
    }
}

/// The commands that the component sends to Redis 7, as many of them at once as it does.
struct Native {
    commands: Connection,
    /// A transaction needs a connection that nothing else uses.
    transactions: Connection,
    random: u64,
}

impl Native {
    fn connect(port: u16) -> Result<Self> {
        let (commands, mut transactions) = (Connection::open(port)?, Connection::open(port)?);
        let Reply::Int(id) = transactions.run(&["CLIENT", "ID"])? else { bail!("CLIENT ID answers no number") };
        Ok(Self { commands, transactions, random: id.cast_unsigned() })
    }

    /// Steele, Lea and Flood, *Fast splittable pseudorandom number generators* (2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Locker for Native {
    fn acquire(&mut self, resource: &str) -> Result<String> {
        let token = format!("{:016x}{:016x}", self.random(), self.random());
        let mut pause = PAUSE_MS;
        while self.commands.run(&["SET", &format!("locks:{resource}"), &token, "NX", "PX", TTL_MS])? == Reply::Nil {
            let jittered = pause / 2 + self.random() % (pause / 2 + 1);
            std::thread::sleep(Duration::from_millis(jittered));
            pause = (2 * pause).min(MAX_PAUSE_MS);
        }
        self.commands.run(&["INCR", &format!("fencing:{resource}")])?;
        Ok(token)
    }

    fn release(&mut self, resource: &str, token: &str) -> Result<()> {
        let key = format!("locks:{resource}");
        self.transactions.run_all(&[&["WATCH", &key], &["MULTI"]])?;
        self.transactions.send(&[&["DEL", &key]])?;
        let value = self.commands.run(&["GET", &key])?;
        ensure!(value == Reply::Text(token.into()), "a lock was lost: {value:?}");
        self.transactions.receive()?;
        let done = self.transactions.run(&["EXEC"])?;
        ensure!(done == Reply::Array(vec![Reply::Int(1)]), "a lock was lost: {done:?}");
        Ok(())
    }
}
