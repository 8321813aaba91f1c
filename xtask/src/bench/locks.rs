//! Locks under load: 32 clients, each in its own thread. They use the component over HTTP or, for comparison, send its
//! commands directly to Redis.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::application::{Application, Environment};
use super::clients;
use super::cpu::Processes;
use super::http::Client;
use super::measure::{Row, Subject, alternating};
use super::options::Options;
use super::resp::{Connection, Reply};
use super::wrk::Report;

const TTL_MS: &str = "5000";
const WAIT_MS: &str = "30000";
/// How long a client holds a contended lock, and how long it pauses before it asks again. Without the pause, the client
/// that has just released the lock would get it every time.
const WORK: Duration = Duration::from_millis(1);
/// The pauses between attempts of a native client that waits, in ms: the same as the component's.
const PAUSE_MS: u64 = 8;
const MAX_PAUSE_MS: u64 = 64;

/// One client of a lock service.
trait Locker {
    /// Waits until this client has the lock on `resource`; returns its token.
    fn acquire(&mut self, resource: &str) -> Result<String>;

    /// Releases it.
    fn release(&mut self, resource: &str, token: &str) -> Result<()>;
}

/// Measures all rows.
///
/// # Errors
/// If a lock is not granted or not released.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Row>> {
    let app = environment.start("spin.toml", &[]).await?;
    let http = || Ok(Http(Client::connect(&app.address)?));
    let only_redis = Processes { host: None, ..app.processes };
    let native = || Native::connect(environment.redis().port());
    let contended = format!("contended, {} clients, one resource", options.connections);
    let natively = format!("{contended}, natively");
    let subjects = [
        subject("acquire + release, uncontended", app.processes, options, http, false),
        subject(&contended, app.processes, options, http, true),
        subject("acquire + release, uncontended, natively", only_redis, options, native, false),
        subject(&natively, only_redis, options, native, true),
    ];
    alternating(&subjects, options)
}

/// Uncontended locks, counted in requests: two for each pair of acquire and release.
pub fn requests<'a>(name: &str, app: &'a Application, options: &'a Options) -> Subject<'a> {
    let connect = || Ok(Http(Client::connect(&app.address)?));
    let pairs = subject(name, app.processes, options, connect, false);
    let run = move |seconds| {
        let pairs = (pairs.run)(seconds)?;
        Ok(Report { rate: 2.0 * pairs.rate, p50: pairs.p50 / 2, p99: pairs.p99 / 2, ..pairs })
    };
    Subject { name: name.into(), build: "", processes: app.processes, run: Box::new(run) }
}

fn subject<'a, L: Locker>(
    name: &str,
    processes: Processes,
    options: &'a Options,
    connect: impl Fn() -> Result<L> + Sync + 'a,
    contended: bool,
) -> Subject<'a> {
    let run = move |seconds| {
        let pairs = clients::run(options.connections, seconds, |number, until| {
            let resource = if contended { "bench".to_owned() } else { format!("bench-{number}") };
            work(&mut connect()?, &resource, until, contended)
        })?;
        Ok(Report { requests: 2 * pairs.requests, ..pairs })
    };
    Subject { name: name.into(), build: "", processes, run: Box::new(run) }
}

/// Acquires and releases until the time is up. Returns how long each acquire took or, uncontended, how long each pair
/// of acquire and release took.
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
            let response = self.0.send("POST", "/api/cache/lock/acquire", &[], &body, 200)?.body;
            let token = response.split_once(r#""token":""#).and_then(|(_, rest)| rest.split_once('"'));
            match token {
                Some((token, _)) => return Ok(token.to_owned()),
                None => ensure!(response.contains(r#""acquired":false"#), "neither granted nor refused: {response}"),
            }
        }
    }

    fn release(&mut self, resource: &str, token: &str) -> Result<()> {
        let body = format!(r#"{{"key":"locks:{resource}","token":"{token}"}}"#);
        let response = self.0.send("POST", "/api/cache/lock/release", &[], &body, 200)?.body;
        ensure!(response == r#"{"released":true}"#, "a lock was lost: {response}");
        Ok(())
    }
}

/// The commands that the component sends to Redis 7, with the same pipelining.
struct Native {
    commands: Connection,
    /// A dedicated connection, as WATCH needs.
    transactions: Connection,
    random: u64,
}

impl Native {
    fn connect(port: u16) -> Result<Self> {
        let (commands, mut transactions) = (Connection::open(port)?, Connection::open(port)?);
        let Reply::Int(id) = transactions.run(&["CLIENT", "ID"])? else {
            bail!("the reply to CLIENT ID is not a number")
        };
        Ok(Self { commands, transactions, random: id.cast_unsigned() })
    }

    /// SplitMix64.
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
