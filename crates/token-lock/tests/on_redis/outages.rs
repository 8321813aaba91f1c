//! Redis does not reply, or the caller gives up.

use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use token_lock::{Acquired, LockError, Released, Settings};

use crate::world::{LONG, PATIENT, on_redis, resource};

#[tokio::test]
async fn nothing_is_granted_while_redis_hangs_or_is_down() {
    on_redis(async |mut world| {
        let instance = world.instance(Settings { timeout_ms: 1_000, circuit_open_ms: 3_600_000 });
        let orders = [resource("orders")];
        let grant = instance.grant(&orders[0], 600_000).await;
        world.servers[0].pause();
        for attempt in 0..20 {
            let outcome = instance.locks.acquire(&[resource("other")], 60_000).await;
            let Err(LockError::Unavailable(why)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(why.contains("circuit is open"), attempt > 0, "only the first waits for the deadline: {why}");
        }
        let released = instance.locks.release(&orders[0], &grant.token).await;
        assert!(matches!(&released, Err(LockError::Unavailable(why)) if why.contains("no reply")), "{released:?}");
        world.servers[0].resume();
        // Operations on a lock that may be held ignore the circuit of a single server.
        assert!(matches!(instance.locks.inspect(&orders[0]).await, Ok(seen) if seen.held.is_some()));

        let instance = world.instance(PATIENT);
        world.servers[0].kill().await.expect("killed");
        let extended = instance.locks.extend(&orders[0], &grant.token, 10).await;
        assert!(matches!(extended, Err(LockError::Unavailable(_))), "{extended:?}");
        world.servers[0].restart().await.expect("restarted");
        let give_up = Instant::now() + LONG;
        let again = loop {
            match instance.locks.acquire(&orders, 60_000).await {
                Ok(Acquired::Granted(mut grants)) => break grants.remove(0),
                Ok(Acquired::Taken { .. }) => panic!("Redis came back empty"),
                Err(_) => assert!(Instant::now() < give_up, "the circuit does not close"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(again.fencing > grant.fencing);
        assert_eq!(instance.locks.release(&orders[0], &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(instance.locks.release(&orders[0], &again.token).await, Ok(Released::Removed));
    })
    .await;
}

/// The SET reaches Redis, but its reply comes too late.
#[tokio::test]
async fn a_lock_whose_client_got_no_reply_is_released() {
    on_redis(async |world| {
        let instance = world.instance(Settings { timeout_ms: 1_000, circuit_open_ms: 10 });
        let orders = resource("orders");
        instance.grant(&resource("x"), 60_000).await;
        let mut monitor = world.monitor().await;
        world.servers[0].pause();
        let outcome = instance.locks.acquire(std::slice::from_ref(&orders), 3_600_000).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
        world.servers[0].resume();
        // The SET waited in the server's socket. It takes effect now, for one hour.
        monitor.until("\"SET\" \"locks:orders\"").await;
        world.until_gone(&orders.key()).await;
    })
    .await;
}

/// Returns after the event loop has polled `polls` times.
async fn after(polls: usize) {
    for _ in 0..polls {
        tokio::task::yield_now().await;
    }
}

/// A connection is not used again if its user was cancelled during a transaction.
#[tokio::test]
async fn cancelled_releases_are_harmless() {
    on_redis(async |world| {
        let locks = &world.one.locks;
        let orders = resource("orders");
        for polls in 0..30 {
            let grant = world.one.grant(&orders, 600_000).await;
            let release = Box::pin(locks.release(&orders, &grant.token));
            if let Either::Right(((), cancelled)) = select(release, Box::pin(after(polls))).await {
                drop(cancelled);
                let again = locks.release(&orders, &grant.token).await;
                assert!(matches!(again, Ok(Released::Removed | Released::Expired)), "{again:?}");
            }
        }
    })
    .await;
}

/// Cancelled at any step, an attempt leaves no lock behind.
#[tokio::test]
async fn cancelled_attempts_leave_no_lock() {
    on_redis(async |world| {
        let locks = &world.one.locks;
        let all = ["a", "b", "c"].map(resource);
        let mut cancelled = 0;
        for polls in 0..40 {
            let acquire = Box::pin(locks.acquire_within(&all, 3_600_000, 1_000));
            match select(acquire, Box::pin(after(polls))).await {
                Either::Left((outcome, _)) => {
                    let Ok(Acquired::Granted(grants)) = outcome else { panic!("{outcome:?}") };
                    for grant in grants {
                        assert_eq!(locks.release(&grant.resource, &grant.token).await, Ok(Released::Removed));
                    }
                }
                Either::Right(_) => cancelled += 1,
            }
            for resource in &all {
                world.until_gone(&resource.key()).await;
            }
        }
        assert!(cancelled > 5, "{cancelled} of 40");
    })
    .await;
}
