//! Invalidating thousands of entries among a million keys: how long it takes, and how long Redis is kept from others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Options;
use super::application::{ADMIN_TOKEN, Application, Place};
use super::http::Client;
use super::resp::{Connection, Reply};

const ENTRIES: usize = 10_000;
/// With the entries and their versions, a million.
const OTHER_KEYS: usize = 980_000;

/// A row.
pub struct Invalidation {
    pub name: String,
    /// Entries that were invalidated.
    pub entries: usize,
    /// Keys in Redis, about.
    pub keys: usize,
    /// From the request to its answer.
    pub took: Duration,
    /// The longest command that Redis ran meanwhile, as Redis measured it.
    pub longest_command: Duration,
    /// The longest that another client waited for the answer to a PING meanwhile.
    pub longest_ping: Duration,
}

/// Measures all rows. Redis is empty afterwards.
///
/// # Errors
/// If something is not invalidated as it should be.
pub async fn rows(place: &Place, options: &Options) -> Result<Vec<Invalidation>> {
    let app = place.start("spin.toml", &[]).await?;
    let mut redis = Connection::open(place.ports())?;
    // A million keys are more than a cache of 128 MB holds.
    redis.run(&["CONFIG", "SET", "maxmemory", "0", "latency-tracking-info-percentiles", "100"])?;
    redis.run(&["FLUSHALL"])?;
    add_other_keys(&mut redis)?;
    let pattern = ("POST", "/api/cache/invalidate", r#"{"pattern":"bench:*"}"#);
    let module = ("DELETE", "/admin/cache/module/kv", "");
    let rows = [("by pattern (SCAN)", pattern), ("by module (registry)", module)];
    let rows = rows.into_iter().map(|(name, request)| {
        eprintln!("      invalidate {ENTRIES} entries {name}");
        let mut rounds = Vec::new();
        for _ in 0..options.rounds.max(1) {
            rounds.push(round(name, request, &app, &mut redis, place.ports())?);
        }
        rounds.sort_by_key(|row| row.took);
        Ok(rounds.swap_remove(rounds.len() / 2))
    });
    let rows = rows.collect::<Result<_>>()?;
    redis.run(&["FLUSHALL"])?;
    Ok(rows)
}

fn round(
    name: &str,
    (method, path, body): (&str, &str, &str),
    app: &Application,
    redis: &mut Connection,
    port: u16,
) -> Result<Invalidation> {
    let mut client = Client::connect(app.address())?;
    add_entries(&mut client)?;
    let Reply::Int(keys) = redis.run(&["DBSIZE"])? else { anyhow::bail!("DBSIZE answers no number") };
    redis.run(&["CONFIG", "RESETSTAT"])?;
    let token = format!("Bearer {ADMIN_TOKEN}");
    let done = AtomicBool::new(false);
    let (took, longest_ping) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| longest_ping(port, &done));
        let start = Instant::now();
        let answer = client.send(method, path, &[("authorization", &token)], body, 200);
        let took = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let longest = pings.join().expect("it does not panic")?;
        let answer = answer?;
        let expected = format!("\"invalidated\":{ENTRIES}");
        ensure!(answer.body.contains(&expected), "{method} {path} should have {expected}, and answers {}", answer.body);
        Ok((took, longest))
    })?;
    let Reply::Text(stats) = redis.run(&["INFO", "latencystats"])? else { anyhow::bail!("INFO answers no text") };
    let longest_command = longest_command(&stats).context("Redis has no latency statistics: is it older than 7?")?;
    Ok(Invalidation { name: name.into(), entries: ENTRIES, keys: keys as usize, took, longest_command, longest_ping })
}

fn longest_ping(port: u16, done: &AtomicBool) -> Result<Duration> {
    let mut redis = Connection::open(port)?;
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        redis.run(&["PING"])?;
        longest = longest.max(start.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(longest)
}

/// The greatest of lines such as `latency_percentiles_usec_scan:p100=123.903`, those of administration left out.
fn longest_command(stats: &str) -> Option<Duration> {
    let lines = stats.lines().filter_map(|line| line.strip_prefix("latency_percentiles_usec_"));
    let commands = lines.filter(|line| !["config", "info", "dbsize"].iter().any(|name| line.starts_with(name)));
    let us = commands.filter_map(|line| line.rsplit_once("p100=")?.1.parse::<f64>().ok());
    us.max_by(f64::total_cmp).map(|us| Duration::from_secs_f64(us / 1e6))
}

fn add_entries(client: &mut Client) -> Result<()> {
    const AT_ONCE: usize = 1000;
    for start in (0..ENTRIES).step_by(AT_ONCE) {
        let entries: Vec<String> = (start..start + AT_ONCE).map(|n| format!("\"bench:{n}\":{{\"n\":{n}}}")).collect();
        let body = format!("{{\"ttl\":100000,\"entries\":{{{}}}}}", entries.join(","));
        client.send("POST", "/api/cache/mset", &[], &body, 200)?;
    }
    Ok(())
}

fn add_other_keys(redis: &mut Connection) -> Result<()> {
    const AT_ONCE: usize = 1000;
    for start in (0..OTHER_KEYS).step_by(AT_ONCE) {
        let names: Vec<String> = (start..start + AT_ONCE).map(|number| format!("somebody:else:{number}")).collect();
        let mut words = vec!["MSET"];
        words.extend(names.iter().flat_map(|name| [name.as_str(), "x"]));
        redis.run(&words)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_command_is_found() {
        let stats = "# Latencystats\r\nlatency_percentiles_usec_scan:p100=123.903\r\n\
                     latency_percentiles_usec_config|resetstat:p100=900.0\r\nlatency_percentiles_usec_unlink:p100=80.1\r\n";
        assert_eq!(longest_command(stats), Some(Duration::from_nanos(123_903)));
        assert_eq!(longest_command("# Latencystats\r\n"), None);
    }
}
