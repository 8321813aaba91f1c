//! Readers of one instance share readings and memory.

use std::time::Instant;

use events::{INTERVAL_MS, Lagged};

use crate::world::{NativeSubscription, next, on_redis, things, until};

#[tokio::test]
async fn many_readers_read_redis_once_per_interval() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut readers: Vec<NativeSubscription> = Vec::new();
        for _ in 0..200 {
            readers.push(instance.subscribe(None).await);
        }
        let (start, before) = (Instant::now(), world.calls("xrange").await);
        let mut seen = vec![Vec::new(); readers.len()];
        for n in 0..10 {
            instance.emit_in_order(&world, [n]).await;
            for (reader, seen) in readers.iter_mut().zip(&mut seen) {
                seen.extend(next(reader, if n % 3 == 0 { 1 } else { 0 }).await);
            }
        }
        for (reader, mut seen) in readers.iter_mut().zip(seen) {
            if seen.len() < 10 {
                seen.extend(next(reader, 10 - seen.len()).await);
            }
            assert_eq!(seen, things(0..10));
        }
        let (calls, elapsed_ms) = (world.calls("xrange").await - before, start.elapsed().as_millis() as u64);
        assert!(calls >= 1 && calls <= elapsed_ms / INTERVAL_MS + 1, "{calls} readings in {elapsed_ms} ms");
    })
    .await;
}

#[tokio::test]
async fn nobody_reads_redis_without_readers_and_old_events_are_dropped() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut first = instance.subscribe(None).await;
        instance.emit_in_order(&world, [1]).await;
        assert_eq!(next(&mut first, 1).await, things([1]));
        drop(first);
        instance.emit_in_order(&world, [2]).await;
        let calls = world.calls("xrange").await;
        let mut second = instance.subscribe(None).await;
        instance.emit_in_order(&world, [3]).await;
        assert_eq!(world.calls("xrange").await, calls);
        assert_eq!(next(&mut second, 1).await, things([3]));
    })
    .await;
}

/// A slow reader does not make the buffer grow. It can continue at its position.
#[tokio::test]
async fn a_slow_reader_is_ended_and_resumes() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut slow = instance.subscribe(None).await;
        let mut fast = instance.subscribe(None).await;
        instance.emit_in_order(&world, [0]).await;
        assert_eq!(next(&mut slow, 1).await, things([0]));
        let mut seen = next(&mut fast, 1).await;
        let mut emitted = 1;
        while seen.len() < 2_300 {
            for _ in 0..100 {
                instance.emit(emitted);
                emitted += 1;
            }
            until(async || world.calls("publish").await == emitted as u64).await;
            let missing = emitted - seen.len();
            seen.extend(next(&mut fast, missing).await);
        }
        assert_eq!(slow.read().await, Err(Lagged));
        let mut resumed = instance.subscribe(Some(slow.position())).await;
        let rest = seen.len() - 1;
        assert_eq!(next(&mut resumed, rest).await, seen[1..]);
    })
    .await;
}
