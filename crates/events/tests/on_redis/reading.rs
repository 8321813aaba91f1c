//! Where readers begin, and what they skip.

use events::{Item, StreamId};

use crate::world::{next, on_redis, things, until};

#[tokio::test]
async fn a_reader_gets_what_comes_after_it_began_or_after_an_id() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut from_nothing = instance.subscribe(None).await;
        assert_eq!(from_nothing.position(), StreamId::START);
        instance.emit_in_order(&world, [1, 2]).await;
        assert_eq!(next(&mut from_nothing, 2).await, things([1, 2]));

        let mut from_now = instance.subscribe(None).await;
        assert_eq!(from_now.position(), from_nothing.position());
        let mut from_the_start = instance.subscribe(Some(StreamId::ZERO)).await;
        let first = from_the_start.read().await.expect("fast enough").remove(0);
        let Item::Event(first) = first else { panic!("{first:?}") };
        let mut from_the_first = instance.subscribe(Some(first.id)).await;
        instance.emit_in_order(&world, [3]).await;
        assert_eq!(next(&mut from_now, 1).await, things([3]));
        assert_eq!(next(&mut from_the_start, 1).await, things([3]));
        assert_eq!(next(&mut from_the_first, 2).await, things([2, 3]));
        assert_eq!(from_the_first.position(), from_now.position());
    })
    .await;
}

/// A reader that resumes reads page after page. Then it uses the buffer of the others, with nothing missing or twice.
#[tokio::test]
async fn a_reader_that_resumes_catches_up_while_events_come() {
    on_redis(async |world| {
        let instance = world.instance();
        let mut live = instance.subscribe(None).await;
        instance.emit_in_order(&world, 0..100).await;
        let mut resumed = instance.subscribe(Some(StreamId::ZERO)).await;
        let mut subjects = Vec::new();
        let mut emitted = 100;
        while subjects.len() < 200 {
            if emitted < 200 {
                instance.emit_in_order(&world, emitted..emitted + 10).await;
                emitted += 10;
            }
            subjects.extend(next(&mut resumed, 1).await);
        }
        assert_eq!(subjects, things(0..200));
        assert_eq!(next(&mut live, 200).await, things(0..200));
        instance.emit_in_order(&world, [200]).await;
        let reads = world.calls("xrange").await;
        assert_eq!((next(&mut resumed, 1).await, next(&mut live, 1).await), (things([200]), things([200])));
        assert!(world.calls("xrange").await > reads);
    })
    .await;
}

#[tokio::test]
async fn entries_of_other_programs_are_skipped() {
    on_redis(async |world| {
        let (instance, redis) = (world.instance(), world.redis());
        let mut reader = instance.subscribe(None).await;
        instance.emit_in_order(&world, [1]).await;
        for foreign in [
            "event {}",
            "event not-json",
            "other {\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"t\"}",
            "event 1 event 2",
            "a 1 b 2 c 3",
            "event {\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"t\"} more 1",
        ] {
            redis.say(&format!("XADD tumbler:events * {foreign}")).await;
        }
        instance.emit_in_order(&world, [2]).await;
        assert_eq!(next(&mut reader, 2).await, things([1, 2]));
        let mut resumed = instance.subscribe(Some(StreamId::ZERO)).await;
        assert_eq!(next(&mut resumed, 2).await, things([1, 2]));
        // More than a page of them.
        for _ in 0..400 {
            redis.say("XADD tumbler:events * a 1 b 2").await;
        }
        instance.emit_in_order(&world, [3]).await;
        assert_eq!(next(&mut reader, 1).await, things([3]));
        let mut resumed = instance.subscribe(Some(StreamId::ZERO)).await;
        assert_eq!(next(&mut resumed, 3).await, things([1, 2, 3]));
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_no_stream_is_an_error() {
    on_redis(async |world| {
        let instance = world.instance();
        world.redis().say("SET tumbler:events x").await;
        assert!(instance.events.subscribe(None).await.is_err());
        assert!(instance.events.subscribe(Some(StreamId::ZERO)).await.is_err());
        instance.emit(1);
        until(async || instance.lost.get() == 1).await;
    })
    .await;
}
