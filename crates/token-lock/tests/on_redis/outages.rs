//! What is left when Redis does not answer, or when somebody gives up.

use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use token_lock::{Acquired, LockError, Released, Settings};

use crate::clients::{Client, Instance, Monitor, on_redis, resource};
use crate::until_gone;

#[tokio::test]
async fn without_redis_nothing_is_granted_and_it_is_found_again() {
    on_redis(async |mut server| {
        let instance = Instance::with([&server], Settings { timeout_ms: 200, circuit_open_ms: 50 });
        let orders = [resource("orders")];
        let grant = instance.grant(&orders[0], 60_000).await;
        server.pause();
        let started = Instant::now();
        for _ in 0..20 {
            let outcome = instance.locks.acquire(&[resource("other")], 5_000).await;
            assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(2), "not each of them waits for the deadline");
        let released = instance.locks.release(&orders[0], &grant.token).await;
        assert!(matches!(released, Err(LockError::Unavailable(_))), "{released:?}");
        server.resume();
        assert!(matches!(instance.locks.inspect(&orders[0]).await, Ok(found) if found.held.is_some()));

        server.kill().await.expect("killed");
        assert!(matches!(instance.locks.extend(&orders[0], &grant.token, 10).await, Err(LockError::Unavailable(_))));
        server.restart().await.expect("restarted");
        let give_up = Instant::now() + Duration::from_secs(10);
        let again = loop {
            match instance.locks.acquire(&orders, 5_000).await {
                Ok(Acquired::Granted(mut grants)) => break grants.remove(0),
                Ok(Acquired::Taken { .. }) => panic!("Redis came back empty"),
                Err(_) => assert!(Instant::now() < give_up),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(again.fencing > grant.fencing);
        assert_eq!(instance.locks.release(&orders[0], &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(instance.locks.release(&orders[0], &again.token).await, Ok(Released::Removed));
    })
    .await;
}

/// What a SET that got no answer has taken is given back in the background.
#[tokio::test]
async fn a_lock_that_nobody_was_told_of_is_given_back() {
    on_redis(async |server| {
        let instance = Instance::with([&server], Settings { timeout_ms: 100, circuit_open_ms: 10 });
        let orders = resource("orders");
        instance.grant(&resource("x"), 5_000).await;
        let mut monitor = Monitor::of(&server).await;
        server.pause();
        let outcome = instance.locks.acquire(std::slice::from_ref(&orders), 3_600_000).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
        server.resume();
        // The SET was in the server's queue: it takes effect now, for an hour.
        monitor.line("\"SET\" \"locks:orders\"").await;
        until_gone(&Client::new(&server.url()), &orders.key()).await;
    })
    .await;
}

/// A connection whose user was cancelled in the middle of a transaction is not used again.
#[tokio::test]
async fn cancelled_releases_do_no_harm() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let orders = resource("orders");
        for polls in 0..30 {
            let grant = instance.grant(&orders, 60_000).await;
            let turns = async {
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                }
            };
            let release = Box::pin(instance.locks.release(&orders, &grant.token));
            if let Either::Right(((), cancelled)) = select(release, Box::pin(turns)).await {
                drop(cancelled);
                let again = instance.locks.release(&orders, &grant.token).await;
                assert!(matches!(again, Ok(Released::Removed | Released::Expired)), "{again:?}");
            }
        }
    })
    .await;
}

/// Whoever gives up waiting, in the middle of whatever step, keeps nothing for long.
#[tokio::test]
async fn a_cancelled_attempt_leaves_nothing() {
    on_redis(async |server| {
        let (instance, client) = (Instance::new([&server]), Client::new(&server.url()));
        let all = ["a", "b", "c"].map(resource);
        let mut cancelled = 0;
        for polls in 0..40 {
            let turns = async {
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                }
            };
            let acquire = Box::pin(instance.locks.acquire_within(&all, 3_600_000, 1_000));
            match select(acquire, Box::pin(turns)).await {
                Either::Left((outcome, _)) => {
                    let Ok(Acquired::Granted(grants)) = outcome else { panic!("{outcome:?}") };
                    for grant in grants {
                        let released = instance.locks.release(&grant.resource, &grant.token).await;
                        assert_eq!(released, Ok(Released::Removed));
                    }
                }
                Either::Right(_) => cancelled += 1,
            }
            for resource in &all {
                until_gone(&client, &resource.key()).await;
            }
        }
        assert!(cancelled > 5, "{cancelled} of 40");
    })
    .await;
}
