//! Concurrent clients create, change, delete and read users through a cache. No answer may be older than the
//! application allows: if a write was acknowledged before a read began, the read shows it, or the response's
//! `Cache-Control` permits its age (RFC 9111, section 4.2).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::exchange::{Response, one};
use super::{Row, USERS};

const WRITERS: u64 = 4;
const READERS: u64 = 4;
/// How many users each writer creates.
const ROUNDS: u64 = 25;

/// What the writes of one user have acknowledged, and when.
#[derive(Debug, Default)]
struct User {
    versions: Vec<(u64, Instant)>,
    deletion_sent: bool,
    deleted: Option<Instant>,
}

impl User {
    /// What was true at `then`: `None` if nothing was acknowledged by then.
    fn acknowledged(&self, then: Instant) -> Option<State> {
        if self.deleted.is_some_and(|deleted| deleted <= then) {
            return Some(State::Deleted);
        }
        let versions = self.versions.iter().filter(|(_, at)| *at <= then);
        versions.map(|(version, _)| *version).max().map(State::Version)
    }

    /// Why `read`, which began at `began` and may be as old as `allowed`, is stale.
    fn staleness(&self, read: Option<u64>, began: Instant, allowed: Duration) -> Option<String> {
        let known = self.acknowledged(began.checked_sub(allowed)?)?;
        match (known, read) {
            (State::Deleted, Some(version)) => Some(format!("version {version} after the deletion")),
            (State::Version(known), Some(version)) if version < known => {
                Some(format!("version {version} after version {known} was acknowledged"))
            }
            (State::Version(known), None) if !self.deletion_sent => {
                Some(format!("404 after version {known} was acknowledged"))
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Version(u64),
    Deleted,
}

struct Clients<'a> {
    address: &'a str,
    users: Mutex<BTreeMap<u64, User>>,
    stale: Mutex<Vec<String>>,
    reads: AtomicU64,
    writes: AtomicU64,
    missing: AtomicU64,
}

/// Runs the clients against the cache at `address`.
///
/// # Errors
/// If a request gets no response, or a write is refused.
pub fn rows(address: &str) -> Result<Vec<Row>> {
    let clients = Clients {
        address,
        users: Mutex::default(),
        stale: Mutex::default(),
        reads: AtomicU64::default(),
        writes: AtomicU64::default(),
        missing: AtomicU64::default(),
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (clients, done) = (&clients, &done);
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || clients.write(writer))).collect();
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(move || clients.read_until(done))).collect();
        let written = writers.into_iter().map(|writer| joined(writer.join())).collect::<Result<Vec<()>>>();
        done.store(true, Relaxed);
        let read = readers.into_iter().map(|reader| joined(reader.join())).collect::<Result<Vec<()>>>();
        written.and(read)
    })?;
    let stale = clients.stale.into_inner().expect("no panic");
    let case = |name: &str| format!("{:17} {name}", "RFC 9111, 4.2");
    let counts = format!("{} reads, {} writes", clients.reads.into_inner(), clients.writes.into_inner());
    let missing = clients.missing.into_inner();
    let found = match stale.first() {
        None => counts,
        Some(first) => format!("{counts}, {} stale reads; the first: {first}", stale.len()),
    };
    Ok(vec![
        Row { case: case("no read through Varnish is stale"), found, passed: stale.is_empty() },
        Row { case: case("404 was read before users existed"), found: format!("{missing} times"), passed: missing > 0 },
    ])
}

fn joined(result: thread::Result<Result<()>>) -> Result<()> {
    result.map_err(|_| anyhow!("a client panicked"))?
}

impl Clients<'_> {
    fn send(&self, method: &str, path: &str, fields: &str, body: &str) -> Result<Response> {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n{length}{fields}\r\n{body}"
        );
        one(self.address, &request).with_context(|| format!("{method} {path}"))
    }

    /// Sends a change of `id` and returns the version after it.
    fn change(&self, method: &str, path: &str, body: &str, status: u16) -> Result<(u64, u64)> {
        let response = self.send(method, path, "", body)?;
        self.writes.fetch_add(1, Relaxed);
        anyhow::ensure!(response.status == status, "{method} {path}: {} {}", response.status, response.body);
        let user: serde_json::Value = serde_json::from_str(&response.body)?;
        let number = |name: &str| user[name].as_u64().with_context(|| format!("no {name} in {user}"));
        let (id, version) = (number("id")?, number("version")?);
        self.users.lock().expect("no panic").entry(id).or_default().versions.push((version, Instant::now()));
        Ok((id, version))
    }

    /// Creates, changes and deletes users, and reads each at once after each write.
    fn write(&self, writer: u64) -> Result<()> {
        for round in 0..ROUNDS {
            // A cache that keeps these 404s serves them when the users exist.
            let newest = self.users.lock().expect("no panic").keys().next_back().copied().unwrap_or(USERS);
            for id in newest + 1..=newest + WRITERS {
                self.read(id, "")?;
            }
            let user = format!(r#"{{"name": "User {round}", "email": "u{writer}-{round}@cache.example.org"}}"#);
            let (id, _) = self.change("POST", "/users", &user, 201)?;
            self.read(id, "")?;
            let path = format!("/users/{id}");
            for (method, name) in [("PATCH", "Changed"), ("PUT", "Replaced")] {
                let before = self.change(method, &path, &format!(r#"{{"name": "{name} {round}"}}"#), 200)?.1 - 1;
                self.read(id, "")?;
                self.read(id, &format!("If-None-Match: \"{before}\"\r\n"))?;
            }
            if round % 2 == 0 {
                self.users.lock().expect("no panic").entry(id).or_default().deletion_sent = true;
                let response = self.send("DELETE", &path, "", "")?;
                anyhow::ensure!(response.status == 204, "DELETE {path}: {}", response.status);
                self.writes.fetch_add(1, Relaxed);
                self.users.lock().expect("no panic").entry(id).or_default().deleted = Some(Instant::now());
                self.read(id, "")?;
            }
        }
        Ok(())
    }

    /// Reads the newest users again and again.
    fn read_until(&self, done: &AtomicBool) -> Result<()> {
        while !done.load(Relaxed) {
            let newest: Vec<u64> = self.users.lock().expect("no panic").keys().rev().take(6).copied().collect();
            // Before the first user is created: one that always exists.
            for id in if newest.is_empty() { vec![1] } else { newest } {
                self.read(id, "")?;
            }
        }
        Ok(())
    }

    /// Reads a user and compares what came with what was acknowledged before.
    fn read(&self, id: u64, fields: &str) -> Result<()> {
        let began = Instant::now();
        let response = self.send("GET", &format!("/users/{id}"), fields, "")?;
        self.reads.fetch_add(1, Relaxed);
        let read = match response.status {
            200 => {
                let user: serde_json::Value = serde_json::from_str(&response.body)?;
                Some(user["version"].as_u64().context("a user without a version")?)
            }
            // It says: still the version in the request.
            304 => Some(fields.split('"').nth(1).context("304 without a condition")?.parse()?),
            404 => None,
            status => anyhow::bail!("GET /users/{id}: {status} {}", response.body),
        };
        let mut users = self.users.lock().expect("no panic");
        if read.is_none() && !users.contains_key(&id) {
            self.missing.fetch_add(1, Relaxed);
        }
        if let Some(wrong) = users.entry(id).or_default().staleness(read, began, allowed_age(&response)) {
            self.stale.lock().expect("no panic").push(format!("user {id}: {wrong}"));
        }
        Ok(())
    }
}

/// How old a response may be: its `s-maxage` or `max-age`. Without them a cache would have to guess, which is not
/// permitted here.
fn allowed_age(response: &Response) -> Duration {
    let control = response.field("cache-control").unwrap_or_default();
    let directives: Vec<&str> = control.split(',').map(str::trim).collect();
    if directives.iter().any(|directive| matches!(*directive, "no-store" | "no-cache" | "private")) {
        return Duration::ZERO;
    }
    let seconds = |name: &str| directives.iter().find_map(|d| d.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    Duration::from_secs(seconds("s-maxage").or_else(|| seconds("max-age")).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_and_late_absences_are_stale() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut user = User { versions: vec![(1, at(1)), (2, at(2))], ..User::default() };
        let now = Duration::ZERO;
        assert!(user.staleness(None, at(0), now).is_none());
        assert!(user.staleness(None, at(1), now).is_some());
        assert!(user.staleness(Some(1), at(1), now).is_none());
        assert!(user.staleness(Some(1), at(2), now).is_some());
        assert!(user.staleness(Some(1), at(5), Duration::from_secs(4)).is_none());
        assert!(user.staleness(Some(3), at(5), now).is_none());
        user.deletion_sent = true;
        assert!(user.staleness(None, at(5), now).is_none());
        user.deleted = Some(at(6));
        assert!(user.staleness(Some(2), at(5), now).is_none());
        assert!(user.staleness(Some(2), at(6), now).is_some());
    }
}
