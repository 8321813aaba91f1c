//! Invalidating thousands of entries among a million keys: how long it takes, and how long it blocks Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::application::{ADMIN_TOKEN, Application, Environment};
use super::http::Client;
use super::options::Options;
use super::resp::{Connection, Reply};

const ENTRIES: usize = 10_000;
/// A million keys, together with the entries and their versions.
const OTHER_KEYS: usize = 980_000;
/// Keys are written in batches of this size.
const BATCH: usize = 1000;

/// A row.
pub struct Invalidation {
    pub name: String,
    /// The number of invalidated entries.
    pub entries: usize,
    /// The number of keys in Redis before the invalidation.
    pub keys: usize,
    /// The time from the request to its response.
    pub took: Duration,
    /// The longest command that Redis ran meanwhile, as measured by Redis.
    pub longest_command: Duration,
    /// The longest time that another client waited for the reply to a PING meanwhile.
    pub longest_ping: Duration,
}

/// Measures all rows. Redis is empty afterwards.
///
/// # Errors
/// If the number of invalidated entries is wrong.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Invalidation>> {
    let app = environment.start("spin.toml", &[]).await?;
    let mut redis = Connection::open(environment.redis().port())?;
    // A million keys do not fit in the cache's 128 MB.
    redis.run(&["CONFIG", "SET", "maxmemory", "0", "latency-tracking-info-percentiles", "100"])?;
    redis.run(&["FLUSHALL"])?;
    add_other_keys(&mut redis)?;
    let pattern = ("POST", "/api/cache/invalidate", r#"{"pattern":"bench:*"}"#);
    let module = ("DELETE", "/admin/cache/module/kv", "");
    let rows = [("by pattern (SCAN)", pattern), ("by module (registry)", module)];
    let rows = rows.into_iter().map(|(name, request)| {
        eprintln!("      invalidate {ENTRIES} entries {name}");
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(round(name, request, &app, &mut redis, environment.redis().port())?);
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
    let mut client = Client::connect(&app.address)?;
    add_entries(&mut client)?;
    let Reply::Int(keys) = redis.run(&["DBSIZE"])? else { bail!("the reply to DBSIZE is not a number") };
    redis.run(&["CONFIG", "RESETSTAT"])?;
    let token = format!("Bearer {ADMIN_TOKEN}");
    let done = AtomicBool::new(false);
    let (took, longest_ping) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| longest_ping(port, &done));
        let start = Instant::now();
        let response = client.send(method, path, &[("authorization", &token)], body, 200);
        let took = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let longest = pings.join().expect("it does not panic")?;
        let body = response?.body;
        let expected = format!("\"invalidated\":{ENTRIES}");
        ensure!(body.contains(&expected), "{method} {path}: expected {expected}, got {body}");
        Ok((took, longest))
    })?;
    let Reply::Text(stats) = redis.run(&["INFO", "latencystats"])? else { bail!("the reply to INFO is not a text") };
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

/// The maximum of lines such as `latency_percentiles_usec_scan:p100=123.903`, without this benchmark's own commands.
fn longest_command(stats: &str) -> Option<Duration> {
    let lines = stats.lines().filter_map(|line| line.strip_prefix("latency_percentiles_usec_"));
    let commands = lines.filter(|line| !["config", "info", "dbsize"].iter().any(|name| line.starts_with(name)));
    let us = commands.filter_map(|line| line.rsplit_once("p100=")?.1.parse::<f64>().ok());
    us.max_by(f64::total_cmp).map(|us| Duration::from_secs_f64(us / 1e6))
}

fn add_entries(client: &mut Client) -> Result<()> {
    for start in (0..ENTRIES).step_by(BATCH) {
        let entries: Vec<String> = (start..start + BATCH).map(|n| format!("\"bench:{n}\":{{\"n\":{n}}}")).collect();
        let body = format!("{{\"ttl\":100000,\"entries\":{{{}}}}}", entries.join(","));
        client.send("POST", "/api/cache/mset", &[], &body, 200)?;
    }
    Ok(())
}

fn add_other_keys(redis: &mut Connection) -> Result<()> {
    for start in (0..OTHER_KEYS).step_by(BATCH) {
        let names: Vec<String> = (start..start + BATCH).map(|number| format!("somebody:else:{number}")).collect();
        let mut command = vec!["MSET"];
        command.extend(names.iter().flat_map(|name| [name.as_str(), "x"]));
        redis.run(&command)?;
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
