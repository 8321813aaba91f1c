//! Which commands reach Redis, and what operators see.

use std::collections::BTreeSet;

use token_lock::{Acquired, Extended, LockError, Released, Resource};

use crate::capabilities::Known;
use crate::world::{PATIENT, on_redis, resource};

#[tokio::test]
async fn round_trips_of_each_operation() {
    on_redis(async |world| {
        let known = Known::by(&world.redis()).await;
        println!("{known:?}");
        let (one, other) = (&world.one, &world.other);
        let orders = resource("orders");
        for warm in [false, true] {
            let grant = one.grant(&orders, 60_000).await;
            let acquiring = one.take_commands();
            assert!(matches!(one.locks.extend(&orders, &grant.token, 60_000).await, Ok(Extended::Until { .. })));
            let extending = one.take_commands();
            assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
            let releasing = one.take_commands();
            if warm {
                assert_eq!(acquiring, ["SET", "INCRBY"]);
                assert_eq!(extending, known.extension(), "one round trip or three");
                assert_eq!(releasing, known.deletion());
            } else {
                // The capabilities are probed once, by sending the commands, not by asking for the server's version.
                let sent: Vec<_> = extending.iter().filter(|command| *command != "connect").collect();
                assert_eq!(sent, [vec!["DELIFEQ", "DELEX", "SET"], known.extension()].concat());
                assert!(releasing.iter().filter(|command| *command != "connect").eq(known.deletion()), "{releasing:?}");
            }
        }
        let grant = one.grant(&orders, 60_000).await;
        assert_eq!(other.try_grant(&orders, 60_000).await, None);
        assert_eq!(other.take_commands(), ["SET", "MGET", "PTTL"], "one to try, two for the remaining TTL");
        drop(grant);
    })
    .await;
}

#[tokio::test]
async fn keys_of_other_programs_count_as_held_by_another() {
    on_redis(async |world| {
        let (one, redis) = (&world.one, world.redis());
        let token = one.grant(&resource("x"), 60_000).await.token;
        for write in ["SET locks:odd something", "RPUSH locks:odd something"] {
            redis.say("DEL locks:odd").await;
            redis.say(write).await;
            let odd = resource("odd");
            assert_eq!(one.try_grant(&odd, 5_000).await, None);
            assert_eq!(one.locks.extend(&odd, &token, 5_000).await, Ok(Extended::HeldByAnother));
            assert_eq!(one.locks.release(&odd, &token).await, Ok(Released::HeldByAnother));
            let inspected = one.locks.inspect(&odd).await.expect("Redis replies");
            assert_eq!(inspected.held.map(|held| held.ttl_ms), Some(None));
        }
    })
    .await;
}

#[tokio::test]
async fn locks_can_be_inspected_listed_and_broken() {
    on_redis(async |world| {
        let locks = &world.one.locks;
        let free = locks.inspect(&resource("7")).await.expect("Redis replies");
        assert_eq!((free.held, free.fencing), (None, None));
        let mut all = BTreeSet::new();
        for at in 0..250 {
            all.insert(world.one.grant(&resource(&at.to_string()), 600_000).await.resource);
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = locks.list(cursor.as_deref()).await.expect("Redis replies");
            listed.extend(page.locks);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let names: BTreeSet<Resource> = listed.iter().map(|(resource, _)| resource.clone()).collect();
        assert_eq!(names, all);
        assert!(listed.iter().all(|(_, inspected)| inspected.held.is_some_and(|held| held.ttl_ms > Some(500_000))));
        assert_eq!(locks.list(Some("1.0.0")).await, Err(LockError::InvalidCursor));
        assert_eq!(locks.list(Some("x")).await, Err(LockError::InvalidCursor));

        let broken = resource("7");
        assert_eq!(locks.break_lock(&broken).await, Ok(true));
        assert_eq!(locks.break_lock(&broken).await, Ok(false));
        assert_eq!(locks.inspect(&broken).await.map(|inspected| inspected.held), Ok(None));
    })
    .await;
}

/// Runs every operation and watches it with MONITOR.
#[tokio::test]
async fn no_scripts_are_used() {
    on_redis(async |world| {
        let mut monitor = world.monitor().await;
        let (one, other) = (world.instance(PATIENT), world.instance(PATIENT));
        let both = ["a", "b"].map(resource);
        let Ok(Acquired::Granted(grants)) = one.locks.acquire(&both, 60_000).await else { panic!("they are free") };
        assert!(matches!(other.locks.acquire(&both, 60_000).await, Ok(Acquired::Taken { .. })));
        for grant in &grants {
            one.locks.extend(&grant.resource, &grant.token, 60_000).await.expect("extended");
            one.locks.inspect(&grant.resource).await.expect("inspected");
            one.locks.release(&grant.resource, &grant.token).await.expect("released");
            one.locks.break_lock(&grant.resource).await.expect("broken");
        }
        one.locks.list(None).await.expect("listed");
        world.redis().say("ECHO the-end").await;
        let seen = monitor.until("the-end").await;
        for needed in ["\"SET\"", "\"WATCH\"", "\"EXEC\"", "\"IFEQ\"", "\"SCAN\""] {
            assert!(seen.iter().any(|line| line.contains(needed)), "{needed} in {seen:#?}");
        }
        for line in &seen {
            let upper = line.to_uppercase();
            for script in ["\"EVAL", "\"FCALL", "\"FUNCTION", "\"SCRIPT"] {
                assert!(!upper.contains(script), "{line}");
            }
        }
    })
    .await;
}
