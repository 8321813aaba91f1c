//! Checks of hits: what they find, what they do not count, and when they do not run.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::future::join_all;
use versioned_cache::{Counters, Entry, Scope, Settings, Source};

use crate::instance::{Client, Failed, Instance, NAMED_TTL, Row, TTL, entry, on_redis, settings, until};

/// Every hit is checked, unless a check is under way.
fn checking() -> Settings {
    Settings { verify_ratio: 1.0, ..settings() }
}

impl Instance {
    /// Reads the row. After a hit, a check selects it again.
    async fn read_checked(&self) -> (Option<Vec<u8>>, Source) {
        let row = self.row.clone();
        let result = self.cache.get_or_set_verified(&entry(), async move || row.select().await).await;
        let result = result.expect("the row can be read");
        (result.value, result.status.source)
    }

    async fn counters(&self) -> Counters {
        self.cache.stats().await.expect("Redis replies").total()
    }

    /// Reads until this many checks have ended. An instance runs one check at a time, and the row is selected once for
    /// the fill and once for each check. So when one more check has begun, this many have ended.
    async fn until_checked(&self, times: u32) {
        let enough = self.row.selects.get() + times + 1;
        until(async || {
            self.read_checked().await;
            self.row.selects.get() >= enough
        })
        .await;
    }
}

#[tokio::test]
async fn a_row_that_is_changed_without_the_protocol_is_found_and_healed_for_every_instance() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), checking());
        let other = Instance::new(&server, &instance.row, settings());
        instance.read_checked().await;
        other.read().await;
        instance.row.value.set(2);
        assert_eq!(instance.read_checked().await, (Some(b"1".to_vec()), Source::Hit), "nobody knows of the change");
        until(async || instance.counters().await.stale == 1).await;
        // The entry is invalidated after it was counted.
        until(async || other.read().await.value.as_deref() == Some(b"2")).await;
        until(async || {
            assert_eq!(instance.read_checked().await.0.as_deref(), Some(&b"2"[..]));
            instance.counters().await.verified > 0
        })
        .await;
        assert_eq!(instance.counters().await.stale, 1);
    })
    .await;
}

#[tokio::test]
async fn a_value_that_is_planted_in_redis_is_found_and_healed() {
    on_redis(async |server| {
        let (instance, client) = (Instance::new(&server, &Row::new(1), checking()), Client::new(&server.url()));
        for (row, planted) in [(1, "7"), (0, "7"), (1, "\"\"")] {
            instance.row.value.set(row);
            client.say("FLUSHALL").await;
            let first = instance.read().await;
            let key = first.status.key.expect("it was looked up");
            client.say(&format!("SET {key} {planted}")).await;
            let right = first.value;
            until(async || instance.read_checked().await.0 != right || instance.counters().await.stale > 0).await;
            until(async || instance.counters().await.stale == 1).await;
            until(async || instance.read().await.value == right).await;
        }
    })
    .await;
}

/// A writer with the policy to commit, whose mark reached Redis and whose first bump did not: the entry is stale, but
/// the write is not acknowledged.
#[tokio::test]
async fn while_a_write_is_in_flight_there_is_no_verdict() {
    on_redis(async |server| {
        let (instance, client) = (Instance::new(&server, &Row::new(1), checking()), Client::new(&server.url()));
        let mark = async |list: &str| {
            let now_ms = ports::Runtime::unix_ms(&ports::native::NativeRuntime::default());
            client.say(&format!("ZADD {list} {now_ms} token")).await;
        };
        // An absence is also guarded by the marks of the list.
        for (before, after, marked) in [(1, 2, "user:writing:42"), (0, 3, "user:writing:42"), (0, 4, "users:writing")] {
            client.say("FLUSHALL").await;
            instance.row.value.set(before);
            instance.read().await;
            mark(marked).await;
            instance.row.value.set(after);
            instance.until_checked(3).await;
            let counters = instance.counters().await;
            assert_eq!((counters.verified, counters.stale), (0, 0), "{before}, {marked}");
            client.say(&format!("DEL {marked}")).await;
            until(async || {
                instance.read_checked().await;
                instance.counters().await.stale == 1
            })
            .await;
        }
        // A value does not depend on the marks of the list.
        client.say("FLUSHALL").await;
        instance.read().await;
        mark("users:writing").await;
        instance.until_checked(1).await;
        until(async || instance.counters().await.verified > 0).await;
    })
    .await;
}

/// A write begins after the hit, and ends while the check reads the row: just before the row is read, or just after.
#[tokio::test]
async fn a_write_after_the_hit_is_no_false_alarm() {
    on_redis(async |server| {
        let row = Row::new(1);
        let writer = Rc::new(Instance::new(&server, &row, settings()));
        for round in 0..40 {
            // It has no check under way, so the first hit is checked.
            let instance = Instance::new(&server, &row, checking());
            instance.read().await;
            let (of_check, row, fetched) = (Rc::clone(&writer), row.clone(), Rc::new(Cell::new(false)));
            let fetch = {
                let fetched = Rc::clone(&fetched);
                async move || {
                    let write = async || of_check.write().await.expect("written");
                    if round % 2 == 0 {
                        write().await;
                    }
                    let value = row.select().await;
                    if round % 2 == 1 {
                        write().await;
                    }
                    fetched.set(true);
                    value
                }
            };
            let result = instance.cache.get_or_set_verified(&entry(), fetch).await.expect("read");
            assert_eq!(result.status.source, Source::Hit);
            until(async || fetched.get()).await;
            // The next check begins after this one has ended.
            let before = instance.counters().await.verified;
            until(async || {
                instance.read_checked().await;
                instance.counters().await.verified > before
            })
            .await;
            assert_eq!(instance.counters().await.stale, 0, "round {round}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_redis_there_is_no_verdict_and_no_error() {
    on_redis(async |server| {
        let server = Rc::new(server);
        let settings = Settings { timeout_ms: 500, breaker_ms: 10, ..checking() };
        let instance = Instance::new(&server, &Row::new(1), settings);
        until(async || instance.read().await.status.source == Source::Hit).await;
        let stopped = Rc::new(Cell::new(false));
        let fetch = {
            let (server, stopped) = (Rc::clone(&server), Rc::clone(&stopped));
            async move || {
                server.pause();
                stopped.set(true);
                Ok::<_, Failed>(Some(b"other".to_vec()))
            }
        };
        let hit = instance.cache.get_or_set_verified(&entry(), fetch).await.expect("a hit");
        assert_eq!((hit.value.as_deref(), hit.status.source), (Some(&b"1"[..]), Source::Hit));
        until(async || stopped.get()).await;
        // The check gives up when its commands are overdue. Then the circuit breaker keeps reads away from Redis.
        until(async || matches!(instance.read().await.status.source, Source::Bypass(_))).await;
        server.resume();
        until(async || instance.read().await.status.source == Source::Hit).await;
        instance.until_checked(1).await;
        assert_eq!(instance.counters().await.stale, 0);
    })
    .await;
}

#[tokio::test]
async fn after_a_failure_of_the_source_there_is_a_pause() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), checking());
        instance.read().await;
        let fetches = Rc::new(Cell::new(0));
        for _ in 0..50 {
            let fetches = Rc::clone(&fetches);
            let fetch = async move || {
                fetches.set(fetches.get() + 1);
                Err(Failed { may_still_commit: false })
            };
            let hit = instance.cache.get_or_set_verified(&entry(), fetch).await.expect("a hit");
            assert_eq!(hit.status.source, Source::Hit);
            tokio::task::yield_now().await;
        }
        until(async || fetches.get() > 0).await;
        let counters = instance.counters().await;
        assert_eq!((fetches.get(), counters.verified, counters.stale), (1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_instance_runs_one_check_at_a_time() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), checking());
        instance.read().await;
        let (fetches, release) = (Rc::new(Cell::new(0)), Rc::new(tokio::sync::Notify::new()));
        let read = async || {
            let (fetches, release) = (Rc::clone(&fetches), Rc::clone(&release));
            let fetch = async move || {
                fetches.set(fetches.get() + 1);
                release.notified().await;
                Ok::<_, Failed>(Some(b"1".to_vec()))
            };
            instance.cache.get_or_set_verified(&entry(), fetch).await.expect("a hit");
        };
        join_all((0..50).map(|_| read())).await;
        until(async || fetches.get() > 0).await;
        join_all((0..50).map(|_| read())).await;
        assert_eq!(fetches.get(), 1);
        release.notify_one();
        until(async || instance.counters().await.verified == 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_ratio_says_how_many_hits_are_checked() {
    on_redis(async |server| {
        for (ratio, possible) in [(0.0, 0..=0), (0.5, 1..=299), (1.0, 300..=300)] {
            let instance = Instance::new(&server, &Row::new(1), Settings { verify_ratio: ratio, ..settings() });
            instance.read().await;
            instance.cache.reset_stats().await.expect("Redis replies");
            for _ in 0..300 {
                let begun = instance.row.selects.get();
                let counted = instance.counters().await.verified;
                assert_eq!(instance.read_checked().await.1, Source::Hit);
                tokio::task::yield_now().await;
                if instance.row.selects.get() > begun {
                    until(async || instance.counters().await.verified > counted).await;
                }
            }
            until(async || possible.contains(&instance.counters().await.verified)).await;
            instance.cache.clear().await.expect("Redis replies");
        }
    })
    .await;
}

#[tokio::test]
async fn one_hit_of_a_batch_is_checked() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), checking());
        let entries: Vec<_> =
            (1..=3).map(|id| Entry::new(&Scope::user(id), TTL).labelled("users", "getById")).collect();
        let rows = Rc::new(Cell::new([1_u64; 3]));
        let read = async || {
            let rows = Rc::clone(&rows);
            let fetch = async move |missing: &[usize]| {
                Ok::<_, Failed>(missing.iter().map(|&at| Some(rows.get()[at].to_string().into_bytes())).collect())
            };
            let results = instance.cache.get_or_set_many_verified(&entries, fetch).await.expect("read");
            results.into_iter().map(|result| result.value.expect("a row")).collect::<Vec<_>>()
        };
        read().await;
        rows.set([1, 1, 2]);
        let expected = [b"1".to_vec(), b"1".to_vec(), b"2".to_vec()];
        until(async || read().await == expected).await;
        assert_eq!(instance.counters().await.stale, 1);
    })
    .await;
}

#[tokio::test]
async fn of_named_entries_only_what_was_fetched_is_checked() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), checking());
        let named = |name: &str| Entry::named("kv", "get", name, NAMED_TTL);
        let read = async |name: &str| {
            let row = instance.row.clone();
            let entry = named(name);
            let result = instance.cache.get_or_set_verified(&entry, async move || row.select().await);
            // In a debug build, many large futures on the stack of a test are too much for it.
            Box::pin(result).await.expect("read").value.expect("a value")
        };
        // What a client sets may differ from the source.
        instance.cache.set(&named("set"), b"9").await.expect("Redis replies");
        for _ in 0..10 {
            assert_eq!(read("set").await, b"9");
            tokio::task::yield_now().await;
        }
        assert_eq!(instance.row.selects.get(), 0);
        // The source changes, and nobody invalidates the entry.
        assert_eq!(read("fetched").await, b"1");
        instance.row.value.set(2);
        until(async || read("fetched").await == b"2").await;
        let counters = instance.counters().await;
        assert_eq!((counters.stale, read("set").await), (1, b"9".to_vec()));
        // A value that is set over a fetched one is not checked either.
        instance.cache.set(&named("fetched"), b"9").await.expect("Redis replies");
        assert_eq!(read("fetched").await, b"9");
        assert_eq!(read("other").await, b"2");
        until(async || {
            read("other").await;
            instance.counters().await.verified > 0
        })
        .await;
        assert_eq!((instance.counters().await.stale, read("fetched").await), (1, b"9".to_vec()));
    })
    .await;
}

/// A check has found a stale value of a named entry, and a client sets the entry before it is invalidated.
#[tokio::test]
async fn a_set_during_a_check_is_not_lost() {
    on_redis(async |server| {
        let setter = Rc::new(Instance::new(&server, &Row::new(1), settings()));
        for round in 0..50 {
            // It has no check under way, so the first hit is checked.
            let instance = Instance::new(&server, &Row::new(1), checking());
            let named = Entry::named("kv", "get", &round.to_string(), NAMED_TTL);
            let fetch = async || Ok::<_, Failed>(Some(b"old".to_vec()));
            instance.cache.get_or_set_verified(&named, fetch).await.expect("fetched");
            let (setter, of_check, done) = (Rc::clone(&setter), named.clone(), Rc::new(Cell::new(false)));
            let fetch = {
                let done = Rc::clone(&done);
                async move || {
                    // The set and the rest of the check run at the same time.
                    tokio::task::spawn_local(async move {
                        setter.cache.set(&of_check, b"set").await.expect("Redis replies");
                        done.set(true);
                    });
                    Ok::<_, Failed>(Some(b"new".to_vec()))
                }
            };
            instance.cache.get_or_set_verified(&named, fetch).await.expect("a hit");
            until(async || done.get()).await;
            // The next check begins after this one has ended.
            let before = instance.counters().await.verified;
            until(async || {
                instance.read_checked().await;
                instance.counters().await.verified > before
            })
            .await;
            let value = instance.cache.get(&named).await.expect("Redis replies").map(|cached| cached.value);
            assert_eq!(value.as_deref(), Some(&b"set"[..]), "round {round}");
        }
    })
    .await;
}
