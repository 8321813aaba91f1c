//! Invalidations in a Redis with many keys remove all that match and do not block other clients: they send small
//! commands only. `TUMBLER_RACE_FACTOR=10` makes a million keys of a hundred thousand, and a hundred thousand matches
//! of ten thousand. Redis runs one command at a time, so other clients wait for one small command at most. How long that
//! takes depends on the machine; the test prints it and asserts nothing about it.

use std::time::{Duration, Instant};

use blackbox::{App, Command};
use redis::aio::MultiplexedConnection;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// How many keys there are.
#[derive(Clone, Copy)]
struct Scale {
    /// Cache entries that match the pattern.
    matching: usize,
    /// Cache entries that do not.
    others: usize,
    /// Keys that are not the cache's.
    foreign: usize,
}

impl Scale {
    fn from_environment() -> Self {
        let factor = std::env::var("TUMBLER_RACE_FACTOR").map_or(1, |factor| factor.parse().unwrap());
        Self { matching: factor * 10_000, others: factor * 2_000, foreign: factor * 88_000 }
    }
}

/// The most keys or members that one command may examine or change.
const KEYS_PER_COMMAND: usize = 1_100;

/// How many keys or members Redis examines or changes for a command. A command without an upper bound fails the test.
fn keys_of(Command { name, args, .. }: &Command) -> usize {
    let number = |word: &str| word.parse::<usize>().unwrap_or_else(|_| panic!("{name} {args:?}"));
    let after = |option: &str| args.iter().skip_while(|word| *word != option).nth(1).map(|count| number(count));
    match name.as_str() {
        "SCAN" => after("COUNT").unwrap_or(10),
        "UNLINK" | "MGET" => args.len(),
        "ZREM" | "XADD" => args.len() - 1,
        "ZPOPMIN" | "ZRANDMEMBER" => number(&args[1]),
        "ZADD" => args.len() / 2,
        // The set of operations: it has a member for each of them.
        "ZRANGE" if args[0] == "cache:operations" => 1,
        "ZRANGE" => after("LIMIT").map_or(usize::MAX, |_| number(args.last().expect("LIMIT has two numbers"))),
        "GET" | "SET" | "RENAME" | "EXISTS" | "PEXPIREAT" | "PEXPIRE" | "HINCRBY" | "PUBLISH" | "ZSCORE" => 1,
        _ => panic!("{name} {args:?}: how many keys does it examine?"),
    }
}

/// Stores `count` entries `{prefix}:{number}`, over HTTP.
async fn given_entries(app: &App, prefix: &str, count: usize) {
    const AT_ONCE: usize = 1000;
    let mut requests = JoinSet::new();
    for start in (0..count).step_by(AT_ONCE) {
        let names = (start..start + AT_ONCE).map(|number| (format!("{prefix}:{number}"), json!({"n": number})));
        let body = json!({"entries": names.collect::<Map<String, Value>>(), "ttl": 100_000});
        let api = app.api.clone();
        requests.spawn(async move { api.post("/api/cache/mset").json(&body).await.expect_ok() });
        if requests.len() >= 4 {
            assert_eq!(requests.join_next().await.unwrap().unwrap()["stored"], AT_ONCE);
        }
    }
    requests.join_all().await;
}

async fn given_foreign_keys(app: &App, count: usize) {
    const AT_ONCE: usize = 1000;
    let mut redis = app.redis.connection().await;
    for start in (0..count).step_by(AT_ONCE) {
        let mut command = redis::cmd("MSET");
        (start..start + AT_ONCE).for_each(|number| {
            command.arg(format!("matching:{number}")).arg(number);
        });
        let _: () = command.query_async(&mut redis).await.unwrap();
    }
}

async fn ask<T: redis::FromRedisValue>(redis: &mut MultiplexedConnection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query_async(redis).await.unwrap()
}

/// The result of `work`, and how long the slowest PING of another client took during `work`.
async fn pinging<T>(app: &App, work: impl Future<Output = T>) -> (T, Duration) {
    let mut redis = app.redis.connection().await;
    let (done, mut is_done) = tokio::sync::oneshot::channel::<()>();
    let pings = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while is_done.try_recv().is_err() {
            let start = Instant::now();
            let _: String = ask(&mut redis, &["PING"]).await;
            longest = longest.max(start.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        longest
    });
    let result = work.await;
    done.send(()).unwrap();
    (result, pings.await.unwrap())
}

/// One request that invalidates, and how many entries it removes.
struct Invalidation {
    name: &'static str,
    method: Method,
    path: &'static str,
    body: Value,
    count: usize,
}

/// Invalidates, and checks each command that Redis ran meanwhile.
async fn invalidate(app: &App, Invalidation { name, method, path, body, count }: &Invalidation) {
    let mut redis = app.redis.connection().await;
    let _: () = ask(&mut redis, &["SLOWLOG", "RESET"]).await;
    let mut monitor = app.redis.monitor().await;
    let start = Instant::now();
    let request = app.admin().request(method.clone(), path).json(body).send();
    let (response, longest) = pinging(app, request).await;
    let took = start.elapsed();
    assert_eq!(response.unwrap().expect_ok()["invalidated"], *count, "{name}");
    let commands = monitor.commands().await;
    drop(monitor);
    let slow: u64 = ask(&mut redis, &["SLOWLOG", "LEN"]).await;
    println!(
        "{name}: {count} entries in {took:?}, {} commands, {slow} of them over 10 ms; a PING took {longest:?} at most",
        commands.len()
    );
    let largest = commands.iter().max_by_key(|command| keys_of(command)).expect("an invalidation sends commands");
    assert!(keys_of(largest) <= KEYS_PER_COMMAND, "{name}: {} of {} keys", largest.name, keys_of(largest));
    let unlinked: usize = commands.iter().filter(|command| command.name == "UNLINK").map(keys_of).sum();
    assert!(unlinked >= *count, "{name}: the commands removed {unlinked} keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalidating_many_of_a_great_number_of_keys_sends_small_commands_only() {
    let Scale { matching: many, others, foreign: theirs } = Scale::from_environment();
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    // A million keys need more than the 128 MB of the tests' servers. None may be evicted.
    let _: () = ask(&mut redis, &["CONFIG", "SET", "maxmemory", "0", "slowlog-log-slower-than", "10000"]).await;
    given_foreign_keys(&app, theirs).await;
    let foreign: usize = ask(&mut redis, &["DBSIZE"]).await;
    let pattern = json!({"pattern": "matching:*"});
    let rounds = [
        ("pattern", Method::POST, "/api/cache/invalidate", pattern, many, many),
        ("module", Method::DELETE, "/admin/cache/module/kv", json!(null), others, 2 * others),
        ("everything", Method::DELETE, "/admin/cache", json!(null), others, 2 * others),
    ];
    for (name, method, path, body, matching, count) in rounds {
        given_entries(&app, "matching", matching).await;
        given_entries(&app, "other", others).await;
        let keys: usize = ask(&mut redis, &["DBSIZE"]).await;
        assert!(keys >= theirs + matching + others, "{keys} keys");
        invalidate(&app, &Invalidation { name, method, path, body, count }).await;
        for number in [0, 1, matching / 2, matching - 1] {
            assert_eq!(app.head(format!("/api/cache/matching:{number}")).await.status(), 404, "{name}");
            let foreign: usize = ask(&mut redis, &["GET", &format!("matching:{number}")]).await;
            assert_eq!(foreign, number, "a key that is not the cache's");
        }
        let other = app.head("/api/cache/other:0").await.status();
        assert_eq!(other == 200, name == "pattern", "{name}: {other}");
    }
    let left: usize = ask(&mut redis, &["DBSIZE"]).await;
    assert!((theirs..foreign + 100).contains(&left), "{left} keys are left");
}
