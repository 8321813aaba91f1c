//! A stream that no longer has what a reader has read last.

use events::{Item, StreamId};

use crate::world::{next, on_redis, things, until};

fn gap_then(expected: impl IntoIterator<Item = usize>) -> Vec<String> {
    [vec!["gap".to_owned()], things(expected)].concat()
}

#[tokio::test]
async fn a_reader_whose_entry_was_trimmed_is_told() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut reader = instance.subscribe(None).await;
        instance.emit_in_order(&world, 0..4).await;
        assert_eq!(next(&mut reader, 4).await, things(0..4));
        let old = reader.position();
        instance.emit_in_order(&world, [4]).await;
        assert_eq!(next(&mut reader, 1).await, things([4]));
        world.redis().say("XTRIM tumbler:events MAXLEN = 1").await;

        let mut resumed = instance.subscribe(Some(old)).await;
        assert_eq!(resumed.read().await.expect("fast enough")[0], Item::Gap { after: old });
        let mut again = instance.subscribe(Some(old)).await;
        assert_eq!(next(&mut again, 2).await, gap_then([4]));
        // Its own entry is still there.
        let mut current = instance.subscribe(Some(reader.position())).await;
        // Zero means "all that is left": that is not a gap.
        let mut all = instance.subscribe(Some(StreamId::ZERO)).await;
        instance.emit_in_order(&world, [5]).await;
        assert_eq!(next(&mut reader, 1).await, things([5]));
        assert_eq!(next(&mut current, 1).await, things([5]));
        assert_eq!(next(&mut all, 2).await, things([4, 5]));
    })
    .await;
}

/// A reader that began with an empty stream, and comes back without an event, cannot know how many it has missed.
#[tokio::test]
async fn a_reader_of_an_empty_stream_is_told_that_entries_may_be_missing() {
    on_redis(async |world| {
        let instance = world.instance();
        let start = instance.subscribe(None).await.position();
        instance.emit_in_order(&world, 0..4).await;
        let mut soon = instance.subscribe(Some(start)).await;
        assert_eq!(next(&mut soon, 4).await, things(0..4));
        instance.emit_in_order(&world, 4..60).await;
        world.redis().say("XTRIM tumbler:events MAXLEN = 50").await;
        let mut late = instance.subscribe(Some(start)).await;
        assert_eq!(next(&mut late, 51).await, gap_then(10..60));
    })
    .await;
}

/// An id from the future, such as that of a stream that was lost: the reader starts at the beginning.
#[tokio::test]
async fn an_id_that_the_stream_never_had_is_a_gap() {
    on_redis(async |world| {
        let instance = world.instance();
        let future = "99999999999999-0".parse().expect("an id");
        let mut on_nothing = instance.subscribe(Some(future)).await;
        assert_eq!(next(&mut on_nothing, 1).await, gap_then([]));
        instance.emit_in_order(&world, 0..50).await;
        assert_eq!(next(&mut on_nothing, 50).await, things(0..50));
        let mut reader = instance.subscribe(Some(future)).await;
        assert_eq!(next(&mut reader, 51).await, gap_then(0..50));
    })
    .await;
}

/// All live readers are told, also when the new stream has smaller ids.
#[tokio::test]
async fn readers_survive_the_loss_of_the_stream() {
    on_redis(async |world| {
        let (instance, redis) = (world.instance(), world.redis());
        let mut readers = [instance.subscribe(None).await, instance.subscribe(None).await];
        instance.emit_in_order(&world, [1]).await;
        for reader in &mut readers {
            assert_eq!(next(reader, 1).await, things([1]));
        }
        redis.say("DEL tumbler:events").await;
        let event =
            |n: usize| format!(r#"{{"specversion":"1.0","id":"{n}","source":"/x","type":"t","subject":"things/{n}"}}"#);
        redis.say(&format!("XADD tumbler:events 5-1 event {}", event(2))).await;
        for reader in &mut readers {
            assert_eq!(next(reader, 2).await, gap_then([2]));
        }
        redis.say(&format!("XADD tumbler:events 5-2 event {}", event(3))).await;
        let mut late = instance.subscribe(None).await;
        redis.say(&format!("XADD tumbler:events 5-3 event {}", event(4))).await;
        for reader in &mut readers {
            assert_eq!(next(reader, 2).await, things([3, 4]));
        }
        assert_eq!(next(&mut late, 1).await, things([4]));
    })
    .await;
}

/// The stream is trimmed further than a live reading has come.
#[tokio::test]
async fn live_readers_are_told_that_the_stream_was_trimmed() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut reader = instance.subscribe(None).await;
        instance.emit_in_order(&world, [1]).await;
        assert_eq!(next(&mut reader, 1).await, things([1]));
        // Nobody reads meanwhile.
        instance.emit_in_order(&world, 2..8).await;
        world.redis().say("XTRIM tumbler:events MAXLEN = 2").await;
        let seen = next(&mut reader, 3).await;
        assert_eq!(seen, gap_then([6, 7]));
        until(async || reader.read().await.expect("fast enough").is_empty()).await;
    })
    .await;
}
