//! Redis does not reply for some time, or connections break.

use std::collections::BTreeSet;

use ports::ClientSettings;

use crate::world::{LONG_STREAM, next, on_redis, things, until};

/// Gives up on a reply soon. A busy machine needs several attempts.
const IMPATIENT: ClientSettings = ClientSettings { timeout_ms: 200, circuit_open_ms: 50, patience_ms: 60_000 };

#[tokio::test]
async fn events_wait_until_redis_is_back() {
    on_redis(async |mut world| {
        let instance = world.instance_with(IMPATIENT, LONG_STREAM);
        let mut reader = instance.subscribe(None).await;
        world.server.kill().await.expect("killed");
        for n in 0..20 {
            instance.emit(n);
        }
        assert_eq!(reader.read().await, Ok(vec![]));
        assert!(instance.events.subscribe(None).await.is_err());
        world.server.restart().await.expect("restarted");
        until(async || world.length().await >= 20).await;
        // A late reply makes a duplicate, with the same id.
        let events = world.events().await;
        let ids: BTreeSet<_> = events.iter().map(|event| event.id.clone()).collect();
        let subjects: BTreeSet<_> = events.into_iter().filter_map(|event| event.subject).collect();
        assert_eq!((ids.len(), subjects), (20, things(0..20).into_iter().collect()));
        // The stream was empty when this reader began, so it misses nothing.
        let mut read = BTreeSet::new();
        while read.len() < 20 {
            read.extend(next(&mut reader, 1).await);
        }
        assert_eq!(read, things(0..20).into_iter().collect());
        assert_eq!(instance.lost.get(), 0);
    })
    .await;
}

#[tokio::test]
async fn events_are_lost_and_counted_if_redis_stays_away() {
    on_redis(async |mut world| {
        let instance = world.instance_with(ClientSettings { patience_ms: 300, ..IMPATIENT }, LONG_STREAM);
        world.server.kill().await.expect("killed");
        for n in 0..3 {
            instance.emit(n);
        }
        until(async || instance.lost.get() == 3).await;
        world.server.restart().await.expect("restarted");
        until(async || {
            instance.emit(4);
            world.length().await > 0
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn only_some_thousand_events_wait() {
    on_redis(async |world| {
        let instance = world.instance_with(IMPATIENT, LONG_STREAM);
        world.server.pause();
        for n in 0..4_200 {
            instance.emit(n);
        }
        assert_eq!(instance.lost.get(), 4_200 - 4_096);
        world.server.resume();
        until(async || {
            let ids: BTreeSet<_> = world.events().await.into_iter().map(|event| event.id).collect();
            ids.len() == 4_096
        })
        .await;
        // There is room again.
        until(async || world.calls("publish").await >= 4_096).await;
        instance.emit(4_200);
        until(async || world.events().await.iter().any(|event| event.version == Some(4_200))).await;
        assert_eq!(instance.lost.get(), 4_200 - 4_096);
    })
    .await;
}

/// Readers continue on a new connection, with nothing missing or twice.
#[tokio::test]
async fn a_lost_connection_is_replaced() {
    on_redis(async |world| {
        let (instance, redis) = (world.instance(), world.redis());
        let mut reader = instance.subscribe(None).await;
        for n in 0..5 {
            instance.emit_in_order(&world, [n]).await;
            redis.say("CLIENT KILL TYPE normal SKIPME yes").await;
            assert_eq!(next(&mut reader, 1).await, things([n]));
            redis.say("CLIENT KILL TYPE normal SKIPME yes").await;
        }
        assert_eq!((instance.lost.get(), world.length().await), (0, 5));
    })
    .await;
}

/// A reading that Redis does not answer blocks neither the other readers nor the one that waits for it.
#[tokio::test]
async fn readings_end_while_redis_hangs() {
    on_redis(async |world| {
        let (instance, other) = (world.instance_with(IMPATIENT, LONG_STREAM), world.instance());
        let mut readers = [instance.subscribe(None).await, instance.subscribe(None).await];
        other.emit_in_order(&world, [1]).await;
        for reader in &mut readers {
            assert_eq!(next(reader, 1).await, things([1]));
        }
        world.server.pause();
        for _ in 0..3 {
            for reader in &mut readers {
                assert_eq!(reader.read().await, Ok(vec![]));
            }
        }
        world.server.resume();
        other.emit_in_order(&world, [2]).await;
        for reader in &mut readers {
            assert_eq!(next(reader, 1).await, things([2]));
        }
    })
    .await;
}
