//! Named entries: what clients set, get and invalidate one by one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use ports::Reply;
use versioned_cache::{Entry, Settings, Source, Stored, Ttl};

use crate::instance::{Client, Failed, Instance, NAMED_TTL, Row, on_redis, settings};

fn entry(name: &str) -> Entry {
    Entry::named("kv", "get", name, NAMED_TTL).checked_by(|value| value.starts_with(b"{"))
}

/// Whether this TTL is what is left of 60 s that began after `started`, to the second.
fn is_left_of_60_s(left_ms: u64, started: Instant) -> bool {
    left_ms <= 60_000 && left_ms + started.elapsed().as_millis() as u64 >= 59_000
}

#[tokio::test]
async fn a_hit_is_one_command_also_without_a_hint() {
    on_redis(async |server| {
        let setter = Instance::new(&server, &Row::new(1), settings());
        setter.cache.set(&entry("a"), b"{1}").await.expect("Redis replies");
        for _ in 0..2 {
            let reader = Instance::new(&server, &Row::new(1), settings());
            let fetch = async || -> Result<_, Failed> { panic!("it is cached") };
            let result = reader.cache.get_or_set(&entry("a"), fetch).await.expect("a hit");
            assert_eq!((result.value, result.status.source), (Some(b"{1}".to_vec()), Source::Hit));
            assert_eq!(reader.take_commands(), ["MGET"]);
        }
    })
    .await;
}

#[tokio::test]
async fn many_are_read_and_set_with_one_command() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let values: Vec<_> = (0..100).map(|n| (entry(&n.to_string()), format!("{{{n}}}").into_bytes())).collect();
        instance.cache.set(&entry("first"), b"{}").await.expect("Redis replies");
        instance.take_commands();
        let started = Instant::now();
        instance.cache.mset(&values).await.expect("Redis replies");
        let commands = instance.take_commands();
        assert_eq!(commands.iter().filter(|command| *command == "MSET").count(), 1);
        assert_eq!(commands.iter().filter(|command| *command == "MGET").count(), 1, "are the generations current?");
        let mut entries: Vec<_> = values.iter().map(|(entry, _)| entry.clone()).collect();
        entries.push(entry("missing"));
        let found = instance.cache.mget(&entries).await.expect("Redis replies");
        assert_eq!(instance.take_commands(), ["MGET"], "a lookup changes nothing");
        assert_eq!(found.len(), 101);
        assert_eq!(found[100], None);
        for (n, cached) in found[..100].iter().enumerate() {
            let cached = cached.as_ref().expect("it was set");
            assert_eq!(cached.value, format!("{{{n}}}").into_bytes());
            assert!(is_left_of_60_s(cached.ttl_ms, started), "{}", cached.ttl_ms);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_set_has_its_ttl() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        let started = Instant::now();
        instance.cache.set(&entry("a"), b"{}").await.expect("Redis replies");
        for (key, longer_ms) in [("cache:entry:kv:get:a", 0), ("cache:version:kv:get:a", settings().mark_ms)] {
            let left = client.say(&format!("PTTL {key}")).await[0].as_int().expect("a number");
            assert!(is_left_of_60_s(left as u64 - longer_ms, started), "{key}: {left}");
        }
        assert_eq!(instance.cache.exists(&entry("b")).await, Ok(None));
        assert!(instance.cache.delete(&entry("a")).await.expect("Redis replies"));
        assert!(!instance.cache.delete(&entry("a")).await.expect("Redis replies"));
        assert_eq!(instance.cache.get(&entry("a")).await, Ok(None));
    })
    .await;
}

/// Race: a fetch is under way, the entry is set (or deleted), the fetch ends. The set value stays. A value that was
/// fetched before a deletion is never read.
#[tokio::test]
async fn a_slow_fetch_replaces_nothing_newer() {
    on_redis(async |server| {
        let slow = Instance::new(&server, &Row::new(1), settings());
        let other = Instance::new(&server, &Row::new(1), settings());
        let (a, b) = (entry("a"), entry("b"));
        let result = slow.cache.get_or_set(&a, async || {
            other.cache.set(&entry("a"), b"{new}").await.expect("Redis replies");
            Ok::<_, Failed>(Some(b"{old}".to_vec()))
        });
        let result = result.await.expect("fetched");
        assert_eq!((result.value, result.status.source), (Some(b"{old}".to_vec()), Source::Miss(Stored::Overtaken)));
        assert_eq!(other.cache.get(&entry("a")).await.expect("Redis replies").expect("set").value, b"{new}");

        let result = slow.cache.get_or_set(&b, async || {
            other.cache.delete(&entry("b")).await.expect("Redis replies");
            Ok::<_, Failed>(Some(b"{old}".to_vec()))
        });
        assert_eq!(result.await.expect("fetched").value, Some(b"{old}".to_vec()));
        assert_eq!(other.cache.get(&entry("b")).await, Ok(None));
        let again = slow.cache.get_or_set(&b, async || Ok::<_, Failed>(Some(b"{new}".to_vec())));
        assert_eq!(again.await.expect("fetched").status.source, Source::Miss(Stored::Yes));
    })
    .await;
}

/// Race: the origin returns an absence, which lives for 5 s. Meanwhile the entry is set with a longer TTL.
#[tokio::test]
async fn a_slow_fetch_does_not_shorten_the_ttl_of_a_set_value() {
    on_redis(async |server| {
        let slow = Instance::new(&server, &Row::new(1), settings());
        let other = Instance::new(&server, &Row::new(1), settings());
        let a = entry("a");
        let started = Instant::now();
        let result = slow.cache.get_or_set(&a, async || {
            other.cache.set(&a, b"{new}").await.expect("Redis replies");
            Ok::<_, Failed>(None)
        });
        assert_eq!(result.await.expect("fetched").status.source, Source::Miss(Stored::Overtaken));
        let client = Client::new(&server.url());
        for (key, longer_ms) in [("cache:entry:kv:get:a", 0), ("cache:version:kv:get:a", settings().mark_ms)] {
            let left = client.say(&format!("PTTL {key}")).await[0].as_int().expect("a number");
            assert!(is_left_of_60_s(left as u64 - longer_ms, started), "{key}: {left}");
        }
    })
    .await;
}

/// Race: a fetch finds an entry whose version was evicted, and the entry is set while the fetch is under way.
#[tokio::test]
async fn an_outdated_entry_is_replaced_and_a_new_one_is_not() {
    on_redis(async |server| {
        let slow = Instance::new(&server, &Row::new(1), settings());
        let other = Instance::new(&server, &Row::new(1), settings());
        let (a, client) = (entry("a"), Client::new(&server.url()));
        for set_meanwhile in [true, false] {
            other.cache.set(&a, b"{old}").await.expect("Redis replies");
            client.say("DEL cache:version:kv:get:a").await;
            let result = slow.cache.get_or_set(&a, async || {
                if set_meanwhile {
                    other.cache.set(&a, b"{new}").await.expect("Redis replies");
                }
                Ok::<_, Failed>(Some(b"{fetched}".to_vec()))
            });
            let stored = if set_meanwhile { Stored::Overtaken } else { Stored::Yes };
            assert_eq!(result.await.expect("fetched").status.source, Source::Miss(stored));
            let value = other.cache.get(&a).await.expect("Redis replies").expect("cached").value;
            assert_eq!(value, if set_meanwhile { b"{new}".to_vec() } else { b"{fetched}".to_vec() });
            let watched = slow.take_commands().iter().any(|command| command == "WATCH");
            assert_eq!(watched, !set_meanwhile, "a transaction is for outdated entries only");
            other.cache.delete(&a).await.expect("Redis replies");
        }
    })
    .await;
}

/// Race: several instances set the same entry at once. One of them wins with both version and value, so the entry can
/// always be read.
#[tokio::test]
async fn one_of_several_concurrent_sets_wins() {
    on_redis(async |server| {
        let instances: Vec<_> = (0..4).map(|_| Instance::new(&server, &Row::new(1), settings())).collect();
        for round in 0..50 {
            let name = entry(&round.to_string());
            let sets = instances.iter().enumerate().map(|(at, instance)| {
                let name = name.clone();
                async move { instance.cache.set(&name, format!("{{{at}}}").as_bytes()).await }
            });
            for outcome in futures_util::future::join_all(sets).await {
                outcome.expect("Redis replies");
            }
            assert!(instances[0].cache.get(&name).await.expect("Redis replies").is_some(), "round {round}");
        }
    })
    .await;
}

#[tokio::test]
async fn corrupt_values_are_misses_and_are_replaced() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        let fetched = Rc::new(Cell::new(0));
        let read = async || {
            let fetched = Rc::clone(&fetched);
            let fetch = async move || {
                fetched.set(fetched.get() + 1);
                Ok::<_, Failed>(Some(b"{}".to_vec()))
            };
            instance.cache.get_or_set(&entry("a"), fetch).await.expect("fetched").status.source
        };
        read().await;
        for garbage in
            ["SET cache:entry:kv:get:a garbage", "SET cache:entry:kv:get:a 1:0", "HSET cache:entry:kv:get:a b c"]
        {
            client.say("DEL cache:entry:kv:get:a").await;
            client.say(garbage).await;
            assert_eq!(read().await, Source::Miss(Stored::Yes), "{garbage}");
            assert_eq!(read().await, Source::Hit, "{garbage}");
        }
        assert_eq!(fetched.get(), 4);
        // Written by the cache, but not what the check expects.
        instance.cache.set(&entry("a"), b"not an object").await.expect("Redis replies");
        assert_eq!(read().await, Source::Miss(Stored::Yes));
        let counters = instance.cache.stats().await.expect("Redis replies").total();
        assert_eq!((counters.corrupt, counters.fills, counters.hits, counters.misses), (3, 5, 3, 5));
    })
    .await;
}

#[tokio::test]
async fn a_corrupt_version_is_replaced() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        let fetch = async || Ok::<_, Failed>(Some(b"{}".to_vec()));
        let read = async || instance.cache.get_or_set(&entry("a"), fetch).await.expect("fetched").status.source;
        read().await;
        for garbage in
            ["SET cache:version:kv:get:a garbage", "INCR cache:version:kv:get:a", "RPUSH cache:version:kv:get:a x"]
        {
            client.say("DEL cache:version:kv:get:a").await;
            client.say(garbage).await;
            assert_eq!(read().await, Source::Miss(Stored::Yes), "{garbage}");
            assert_eq!(read().await, Source::Hit, "{garbage}");
            assert!(
                matches!(client.say("PTTL cache:version:kv:get:a").await[..], [Reply::Int(1..=90_000)]),
                "{garbage}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn absence_is_cached_too() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let nothing = async || Ok::<_, Failed>(None);
        assert_eq!(instance.cache.get_or_set(&entry("a"), nothing).await.expect("fetched").value, None);
        let fetch = async || -> Result<_, Failed> { panic!("it is known") };
        let again = instance.cache.get_or_set(&entry("a"), fetch).await.expect("known");
        assert_eq!((again.value, again.status.source, again.status.ttl_s), (None, Source::Hit, Some(5)));
        assert_eq!(instance.cache.get(&entry("a")).await, Ok(None), "there is no value to get");
    })
    .await;
}

/// Otherwise the next read after the entry has expired would wait for a fill although there is none.
#[tokio::test]
async fn a_lease_does_not_outlive_a_short_entry() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        let instance = Instance::new(&server, &Row::new(1), Settings { lease_ms: 60_000, ..settings() });
        let short = Entry::named("kv", "get", "short", Ttl { found_s: 30, absent_s: 30 });
        for entry in [&short, &entry("long")] {
            let fetch = async || Ok::<_, Failed>(Some(b"{}".to_vec()));
            let result = instance.cache.get_or_set(entry, fetch).await.expect("fetched");
            assert_eq!(result.status.source, Source::Miss(Stored::Yes));
        }
        let leases = client.say("KEYS filling:*").await;
        let mut ends_in_ms = Vec::new();
        for lease in leases {
            let key = String::from_utf8(lease.into_bytes().expect("a key")).expect("text");
            ends_in_ms.push(client.say(&format!("PTTL {key}")).await[0].as_int().expect("a number"));
        }
        ends_in_ms.sort_unstable();
        assert!(matches!(ends_in_ms[..], [short, long] if short <= 30_000 && long > 30_000), "{ends_in_ms:?}");
    })
    .await;
}
