//! The cache on a real Redis: round trips, deadlines, outages, odd contents.

mod conditional;
mod instance;
mod named;
mod registries;
mod verify;

use std::time::{Duration, Instant};

use futures_util::future::{Either, join_all, select};
use instance::{Client, Failed, Instance, Row, TTL, entry, list, on_redis, scope, settings, until};
use ports::Reply;
use versioned_cache::{Bypass, Entry, Scope, Settings, Source, Stored, Write, WriteError, WritePolicy};

#[tokio::test]
async fn a_warm_hit_is_one_mget() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let first = instance.read().await;
        assert_eq!((first.value, first.status.source), (Some(b"1".to_vec()), Source::Miss(Stored::Yes)));
        let stored_s = first.status.ttl_s.expect("it is stored");
        assert!((270..=330).contains(&stored_s), "{stored_s}");
        instance.take_commands();
        for _ in 0..5 {
            let again = instance.read().await;
            assert_eq!((again.value, again.status.source), (Some(b"1".to_vec()), Source::Hit));
            assert!((1..=stored_s).contains(&again.status.ttl_s.expect("known")), "{:?}", again.status.ttl_s);
            assert_eq!(instance.take_commands(), ["MGET"]);
        }
        assert_eq!(instance.row.selects.get(), 1);

        let cold = Instance::new(&server, &instance.row, settings());
        assert_eq!(cold.read().await.status.source, Source::Hit);
        assert_eq!(cold.take_commands(), ["MGET", "MGET", "PTTL"], "two round trips without a hint");
        cold.read().await;
        assert_eq!(cold.take_commands(), ["MGET"]);
    })
    .await;
}

#[tokio::test]
async fn a_write_is_seen_by_every_instance() {
    on_redis(async |server| {
        let writer = Instance::new(&server, &Row::new(1), settings());
        let reader = Instance::new(&server, &writer.row, settings());
        reader.read().await;
        for expected in 2..20_u64 {
            writer.write().await.expect("written");
            assert_eq!(reader.read().await.value, Some(expected.to_string().into_bytes()));
            assert_eq!(reader.read().await.status.source, Source::Hit);
        }
    })
    .await;
}

#[tokio::test]
async fn absence_is_cached_briefly_and_ends_with_the_create() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(0), settings());
        assert_eq!(instance.read().await.value, None);
        let absent = instance.read().await;
        assert_eq!((absent.value, absent.status.source), (None, Source::Hit));
        assert!(absent.status.ttl_s.expect("known") <= 33);
        let create = Write { mark: vec![list()], bump: vec![list(), scope()] };
        let created = instance.cache.write(create, async || {
            instance.row.value.set(1);
            Ok::<_, Failed>(())
        });
        created.await.expect("created");
        assert_eq!(instance.read().await.value, Some(b"1".to_vec()));
    })
    .await;
}

#[tokio::test]
async fn five_hundred_readers_of_a_cold_key_cost_one_fetch() {
    on_redis(async |server| {
        let row = Row::new(1);
        // No request stops waiting, even on a slow machine.
        let settings = Settings { lease_ms: 60_000, fill_wait_ms: 60_000, ..settings() };
        let instances: Vec<Instance> = (0..10).map(|_| Instance::new(&server, &row, settings)).collect();
        let results = join_all((0..500).map(|at| instances[at % 10].read())).await;
        assert!(results.iter().all(|result| result.value.as_deref() == Some(b"1")));
        assert_eq!(row.selects.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn requests_do_not_wait_for_a_cancelled_fill() {
    on_redis(async |server| {
        // Only the end of `fill_wait_ms` ends the wait: the lease lives longer than this test.
        let instance = Instance::new(&server, &Row::new(1), Settings { lease_ms: 3_600_000, ..settings() });
        let (fetching, fetches) = tokio::sync::oneshot::channel();
        let cold = entry();
        let stuck = instance.cache.get_or_set(&cold, async || {
            fetching.send(()).expect("awaited below");
            std::future::pending::<Result<_, Failed>>().await
        });
        let cancelled = select(Box::pin(stuck), fetches).await;
        assert!(matches!(cancelled, Either::Right(_)), "it was fetching when it was dropped");
        drop(cancelled);
        let waiting = tokio::time::timeout(Duration::from_secs(60), instance.read());
        assert_eq!(waiting.await.expect("the wait for the lease has an end").value, Some(b"1".to_vec()));
    })
    .await;
}

#[tokio::test]
async fn a_silent_redis_costs_one_deadline_and_is_used_again_later() {
    on_redis(async |server| {
        let settings = Settings { timeout_ms: 500, breaker_ms: 3_000, ..settings() };
        let instance = Instance::new(&server, &Row::new(1), settings);
        instance.until_read(|result| result.status.source == Source::Hit).await;
        server.pause();
        instance.take_commands();
        let started = Instant::now();
        let slow = instance.read().await;
        assert_eq!((slow.value, slow.status.source), (Some(b"1".to_vec()), Source::Bypass(Bypass::Unreachable)));
        assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
        assert_eq!(instance.take_commands(), ["MGET"], "one command, and so one deadline");
        assert_eq!(instance.read().await.status.source, Source::Bypass(Bypass::BreakerOpen));
        assert_eq!(instance.take_commands(), [""; 0]);
        server.resume();
        instance.until_read(|result| result.status.source == Source::Hit).await;
    })
    .await;
}

#[tokio::test]
async fn a_restarted_redis_is_used_again_and_nothing_old_returns() {
    on_redis(async |mut server| {
        let instance = Instance::new(&server, &Row::new(1), Settings { breaker_ms: 50, ..settings() });
        instance.read().await;
        server.kill().await.expect("killed");
        assert_eq!(instance.read().await.value, Some(b"1".to_vec()));
        instance.write().await.expect("the policy is to commit");
        assert_eq!(instance.read().await.value, Some(b"2".to_vec()));
        server.restart().await.expect("restarted");
        instance
            .until_read(|result| {
                assert_eq!(result.value, Some(b"2".to_vec()));
                result.status.source == Source::Hit
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_bump_that_redis_missed_is_repeated() {
    on_redis(async |server| {
        let writer = Instance::new(&server, &Row::new(1), Settings::default());
        let reader = Instance::new(&server, &writer.row, Settings { breaker_ms: 10, ..settings() });
        reader.read().await;
        server.pause();
        writer.write().await.expect("the policy is to commit");
        server.resume();
        reader.until_read(|result| result.value.as_deref() == Some(b"2") && result.status.source == Source::Hit).await;
    })
    .await;
}

#[tokio::test]
async fn the_consistent_policy_writes_nothing_without_redis() {
    on_redis(async |mut server| {
        let settings = Settings { write_policy: WritePolicy::Consistent, ..settings() };
        let instance = Instance::new(&server, &Row::new(1), settings);
        instance.write().await.expect("Redis is running");
        server.kill().await.expect("killed");
        assert_eq!(instance.write().await, Err(WriteError::CacheUnavailable));
        assert_eq!(instance.row.value.get(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_may_still_commit_keeps_its_mark() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), Settings { mark_ms: 3_000, ..settings() });
        for (may_still_commit, stored) in [(false, Stored::Yes), (true, Stored::WriteInFlight)] {
            let write = Write { mark: vec![scope()], bump: vec![scope()] };
            let failed = instance.cache.write(write, async || Err::<(), _>(Failed { may_still_commit })).await;
            assert_eq!(failed, Err(WriteError::Statement(Failed { may_still_commit })));
            assert_eq!(instance.read().await.status.source, Source::Miss(stored));
        }
        instance.until_read(|result| result.status.source == Source::Hit).await;
    })
    .await;
}

#[tokio::test]
async fn odd_contents_are_replaced() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        let instance = Instance::new(&server, &Row::new(1), settings());
        for odd in
            ["SET user:version:42 abc", "SET user:version:42 7", "HSET user:version:42 a b", "DEL user:version:42"]
        {
            instance.read().await;
            client.say("DEL user:version:42").await;
            client.say(odd).await;
            assert_eq!(instance.read().await.value, Some(b"1".to_vec()), "{odd}");
            assert_eq!(instance.read().await.status.source, Source::Hit, "{odd}");
            client.say("DEL user:version:42").await;
            client.say(odd).await;
            instance.write().await.expect("written");
            instance.row.value.set(1);
            assert_eq!(instance.read().await.status.source, Source::Miss(Stored::Yes), "{odd}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_redis_stores_nothing_and_fails_nothing() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        client.say("CONFIG SET maxmemory-policy noeviction").await;
        client.say("CONFIG SET maxmemory 1").await;
        let instance = Instance::new(&server, &Row::new(1), settings());
        assert_eq!(instance.read().await.value, Some(b"1".to_vec()));
        instance.write().await.expect("the policy is to commit");
        assert_eq!(instance.read().await.value, Some(b"2".to_vec()));
    })
    .await;
}

#[tokio::test]
async fn a_batch_asks_once_for_what_it_misses() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        instance.read().await;
        instance.take_commands();
        let entries: Vec<_> =
            (41..=43).map(|id| Entry::new(&Scope::item("user", id), TTL).labelled("users", "getById")).collect();
        let results = instance.cache.get_or_set_many(&entries, async |missing| {
            assert_eq!(missing, [0, 2]);
            Ok::<_, Failed>(vec![Some(b"first".to_vec()), None])
        });
        let values: Vec<_> = results.await.expect("fetched").into_iter().map(|result| result.value).collect();
        assert_eq!(values, [Some(b"first".to_vec()), Some(b"1".to_vec()), None]);
        instance.take_commands();
        let all = instance.cache.get_or_set_many(&entries, async |_| panic!("everything is cached")).await;
        let sources = all.map(|results| results.into_iter().map(|result| result.status.source).collect::<Vec<_>>());
        assert_eq!(sources, Ok::<_, Failed>(vec![Source::Hit; 3]));
        assert_eq!(instance.take_commands(), ["MGET"]);
    })
    .await;
}

#[tokio::test]
async fn hits_and_misses_are_counted() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        let instance = Instance::new(&server, &Row::new(1), settings());
        for _ in 0..10 {
            instance.read().await;
        }
        until(async || {
            let counted = client.say("HMGET cache:stats users:getById:hits users:getById:misses").await;
            counted == [Reply::Bytes(b"9".to_vec()), Reply::Bytes(b"1".to_vec())]
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_disabled_cache_is_not_read_but_writes_still_bump() {
    on_redis(async |server| {
        let row = Row::new(1);
        let on = Instance::new(&server, &row, settings());
        let off = Instance::new(&server, &row, Settings { enabled: false, ..settings() });
        on.read().await;
        assert_eq!(off.read().await.status.source, Source::Bypass(Bypass::Disabled));
        assert_eq!(off.take_commands(), Vec::<String>::new());
        off.write().await.expect("written");
        assert_eq!(on.read().await.value, Some(b"2".to_vec()));
    })
    .await;
}
