//! What Redis is asked, and what it shows of the locks.

use token_lock::{Acquired, Extended, LockError, Released, Resource};

use crate::clients::{Client, Instance, Monitor, on_redis, resource};
use crate::dialects::Known;

#[tokio::test]
async fn what_it_costs() {
    on_redis(async |server| {
        let known = Known::by(&server).await;
        println!("{known:?}");
        let instance = Instance::new([&server]);
        let orders = resource("orders");
        for warm in [false, true] {
            let grant = instance.grant(&orders, 5_000).await;
            let acquiring = instance.take_commands();
            assert!(matches!(instance.locks.extend(&orders, &grant.token, 5_000).await, Ok(Extended::Until { .. })));
            let extending = instance.take_commands();
            assert_eq!(instance.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
            let releasing = instance.take_commands();
            if warm {
                assert_eq!(acquiring, ["SET", "INCRBY"]);
                assert_eq!(extending, known.extension(), "in one round trip or three");
                assert_eq!(releasing, known.deletion());
            } else {
                // It is asked for its commands, once, and not for its name or version.
                let asked: Vec<_> = extending.iter().filter(|command| *command != "connect").collect();
                assert_eq!(asked, [vec!["DELIFEQ", "DELEX", "SET"], known.extension()].concat());
                assert!(releasing.iter().filter(|command| *command != "connect").eq(known.deletion()), "{releasing:?}");
            }
        }
        let grant = instance.grant(&orders, 5_000).await;
        let other = Instance::new([&server]);
        other.take_commands();
        assert_eq!(other.try_grant(&orders, 5_000).await, None);
        assert_eq!(other.take_commands(), ["SET", "MGET", "PTTL"], "that it is taken, and for how long yet");
        drop(grant);
    })
    .await;
}

#[tokio::test]
async fn keys_that_somebody_else_wrote_are_held_by_another() {
    on_redis(async |server| {
        let (instance, client) = (Instance::new([&server]), Client::new(&server.url()));
        let token = instance.grant(&resource("x"), 5_000).await.token;
        for odd in ["SET locks:odd something", "RPUSH locks:odd something"] {
            client.say("DEL locks:odd").await;
            client.say(odd).await;
            let odd = resource("odd");
            assert_eq!(instance.try_grant(&odd, 5_000).await, None);
            assert_eq!(instance.locks.extend(&odd, &token, 5_000).await, Ok(Extended::HeldByAnother));
            assert_eq!(instance.locks.release(&odd, &token).await, Ok(Released::HeldByAnother));
            let inspected = instance.locks.inspect(&odd).await.expect("Redis answers");
            assert_eq!(inspected.held.map(|held| held.ttl_ms), Some(None));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_held_can_be_looked_at_listed_and_broken() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let locks = &instance.locks;
        let free = locks.inspect(&resource("7")).await.expect("Redis answers");
        assert_eq!((free.held, free.fencing), (None, None));
        let mut all = std::collections::BTreeSet::new();
        for at in 0..250 {
            all.insert(instance.grant(&resource(&at.to_string()), 60_000).await.resource);
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = locks.list(cursor.as_deref()).await.expect("Redis answers");
            listed.extend(page.locks);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let names: std::collections::BTreeSet<Resource> = listed.iter().map(|(resource, _)| resource.clone()).collect();
        assert_eq!(names, all);
        assert!(listed.iter().all(|(_, found)| found.held.is_some_and(|held| held.ttl_ms > Some(50_000))));
        assert_eq!(locks.list(Some("1.0.0")).await, Err(LockError::InvalidCursor));
        assert_eq!(locks.list(Some("x")).await, Err(LockError::InvalidCursor));

        let broken = resource("7");
        assert_eq!(locks.break_lock(&broken).await, Ok(true));
        assert_eq!(locks.break_lock(&broken).await, Ok(false));
        assert_eq!(locks.inspect(&broken).await.map(|found| found.held), Ok(None));
    })
    .await;
}

/// Everything that the crate does, watched with MONITOR.
#[tokio::test]
async fn redis_sees_no_scripts() {
    on_redis(async |server| {
        let mut monitor = Monitor::of(&server).await;
        let (instance, other) = (Instance::new([&server]), Instance::new([&server]));
        let all = ["a", "b"].map(resource);
        let Ok(Acquired::Granted(grants)) = instance.locks.acquire(&all, 5_000).await else { panic!("free") };
        assert!(matches!(other.locks.acquire(&all, 5_000).await, Ok(Acquired::Taken { .. })));
        for grant in &grants {
            instance.locks.extend(&grant.resource, &grant.token, 5_000).await.expect("extended");
            instance.locks.inspect(&grant.resource).await.expect("inspected");
            instance.locks.release(&grant.resource, &grant.token).await.expect("released");
            instance.locks.break_lock(&grant.resource).await.expect("broken");
        }
        instance.locks.list(None).await.expect("listed");
        Client::new(&server.url()).say("ECHO the-end").await;
        let seen = monitor.line("the-end").await;
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
