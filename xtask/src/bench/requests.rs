//! The requests under load; for comparison, an empty component, a route without a component, the native program and
//! Redis alone.

use std::path::Path;

use anyhow::Result;

use super::application::{Application, Environment};
use super::http;
use super::locks;
use super::measure::{Row, Subject, alternating};
use super::native;
use super::options::Options;
use super::redis_benchmark::RedisBenchmark;
use super::wrk::Load;

/// The number of users in the database, all on one page of the list.
pub const USERS: i64 = 100;
/// [`Subject::build`] of the native program.
pub const NATIVE: &str = "native";
/// The names of the rows of the native program.
pub const EMPTY: &str = "empty";
pub const CACHED: &str = "GET /users/:id, cached";

/// Instances that serve more requests than by default (as Spin: 128 requests, 16 at the same time).
const LONG_LIVED: [&str; 4] = ["--max-instance-reuse-count", "1000", "--max-instance-concurrent-reuse-count", "64"];
/// Entries live longer than the benchmark: no row pays for fetching them again.
const NO_EXPIRY: [&str; 4] = ["--variable", "cache_ttl_user=100000", "--variable", "cache_ttl_users_list=100000"];
const USER: &str = "/users/1";
const KEY: &str = "/api/cache/user:1:profile";

/// The applications of a build.
struct Applications {
    /// The name of the build.
    build: String,
    /// The empty component.
    empty: Application,
    users: Application,
    long_lived: Application,
    /// With the cache off.
    uncached: Application,
    /// The ETag of the user.
    etag: String,
}

/// Measures all rows of all builds, and of the native program, which reads what the first build has cached.
///
/// # Errors
/// If a response is wrong: wrong responses are not measured.
pub async fn rows(environments: &[Environment], native: &Path, options: &Options) -> Result<Vec<Row>> {
    let mut builds = Vec::new();
    for environment in environments {
        builds.push(Applications::start(environment).await?);
    }
    let (first, users) = (&environments[0], &builds[0].users);
    let native = native::start(native, first, users).await?;
    let redis = RedisBenchmark::new(first.redis().port(), options.connections)?;

    let native_load = |name, path| Subject { build: NATIVE, ..Subject::load(name, &native, options, Load::get(path)) };
    let mut subjects = vec![native_load(EMPTY, "/empty"), native_load(CACHED, USER)];
    // The same row of all builds, then the next one.
    let mut of_builds: Vec<_> = builds.iter().map(|build| build.subjects(options).into_iter()).collect();
    loop {
        let next: Vec<Subject> = of_builds.iter_mut().filter_map(Iterator::next).collect();
        if next.is_empty() {
            break;
        }
        subjects.extend(next);
    }
    let mut processes = native.processes;
    processes.host = None;
    let run = Box::new(|seconds| redis.run(seconds));
    let name = "Redis alone, MGET of four keys (redis-benchmark)".into();
    subjects.push(Subject { name, build: "", processes, run });
    alternating(&subjects, options)
}

/// The row of the native program that a row is compared with.
pub fn yardstick(name: &str) -> &'static str {
    if name.contains(EMPTY) || name.starts_with("unknown") { EMPTY } else { CACHED }
}

impl Applications {
    async fn start(environment: &Environment) -> Result<Self> {
        let start = async |args: &[&str]| environment.start("spin.toml", &[args, &NO_EXPIRY].concat()).await;
        let apps = Self {
            build: environment.build.name.clone(),
            empty: environment.start("bench/spin.toml", &[]).await?,
            users: start(&[]).await?,
            long_lived: start(&LONG_LIVED).await?,
            uncached: start(&["--variable", "cache_enabled=false"]).await?,
            etag: String::new(),
        };
        http::get(&apps.empty.address, "/empty", &[], 200)?;
        http::get(&apps.empty.address, "/unknown", &[], 404)?;
        http::get(&apps.uncached.address, USER, &[], 200)?;
        let user = http::get(&apps.users.address, USER, &[], 200)?;
        http::get(&apps.users.address, USER, &[], 200)?.expect_hit()?;
        http::get(&apps.long_lived.address, USER, &[], 200)?.expect_hit()?;
        let etag = user.header("etag").unwrap_or_default().to_owned();
        http::get(&apps.users.address, USER, &[("if-none-match", &etag)], 304)?;
        // A value of about the size of a user.
        let value = format!(r#"{{"name":"{}"}}"#, "x".repeat(200));
        let mut client = http::Client::connect(&apps.users.address)?;
        client.send("PUT", &format!("{KEY}?ttl=100000"), &[], &value, 200)?;
        client.send("GET", KEY, &[], "", 200)?.expect_hit()?;
        Ok(Self { etag, ..apps })
    }

    fn subjects<'a>(&'a self, options: &'a Options) -> Vec<Subject<'a>> {
        let row = |name: &str, app, load| Subject { build: &self.build, ..Subject::load(name, app, options, load) };
        let Self { empty, users, long_lived, uncached, etag, .. } = self;
        let list = format!("GET /users, {USERS} users, cached");
        vec![
            row("unknown route", empty, Load::refused_get("/unknown")),
            row("empty component", empty, Load::get("/empty")),
            row(CACHED, users, Load::get(USER)),
            row("GET /users/:id, cached, long-lived", long_lived, Load::get(USER)),
            // An instance knows the versions of few of them, so it often needs a second round trip.
            row(&format!("GET /users/:id, {USERS} users, cached"), users, Load::get_users(1..=USERS)),
            row("GET /users/:id, If-None-Match (304)", users, Load::get(USER).header("if-none-match", etag)),
            row(&list, users, Load::get("/users")),
            row("GET /api/cache/:key, hit", users, Load::get(KEY)),
            // Other users than the one that is read.
            row("PUT /users/:id", users, Load::put_users(2..=USERS)),
            Subject { build: &self.build, ..locks::requests("lock: acquire, release", users, options) },
            row("GET /users/:id, cache off", uncached, Load::get(USER)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_with_the_native_row_that_does_the_same() {
        assert_eq!(["unknown route", "empty component"].map(yardstick), [EMPTY; 2]);
        assert_eq!(["GET /users/:id, cached", "PUT /users/:id"].map(yardstick), [CACHED; 2]);
    }
}
