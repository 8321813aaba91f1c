//! Who holds a lock, and for how long.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ports::Reply;
use token_lock::{Acquired, Extended, Released};

use crate::world::{on_redis, resource};

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as u64
}

#[tokio::test]
async fn one_client_holds_a_lock_until_it_releases_it() {
    on_redis(async |world| {
        let (one, other) = (&world.one, &world.other);
        let orders = resource("orders:7");
        let grant = one.grant(&orders, 60_000).await;
        assert_eq!(other.try_grant(&orders, 60_000).await, None);
        let wrong = other.grant(&resource("x"), 60_000).await.token;
        assert_eq!(other.locks.release(&orders, &wrong).await, Ok(Released::HeldByAnother));
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
        let next = other.grant(&orders, 60_000).await;
        assert!(next.fencing > grant.fencing);
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Removed));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Expired));
    })
    .await;
}

#[tokio::test]
async fn release_and_extend_report_an_expired_lock() {
    on_redis(async |world| {
        let (one, other) = (&world.one, &world.other);
        let orders = resource("orders");
        let grant = one.grant(&orders, 60_000).await;
        world.redis().say("PEXPIRE locks:orders 30").await;
        world.until_gone(&orders.key()).await;
        assert_eq!(one.locks.extend(&orders, &grant.token, 60_000).await, Ok(Extended::Expired));
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Expired));
        let next = other.grant(&orders, 60_000).await;
        assert_eq!(one.locks.extend(&orders, &grant.token, 60_000).await, Ok(Extended::HeldByAnother));
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Removed));
    })
    .await;
}

/// What the client says is never later than what Redis does, and both count from a time within the call.
#[tokio::test]
async fn extending_is_exact_to_the_millisecond() {
    on_redis(async |world| {
        let orders = resource("orders");
        let grant = world.one.grant(&orders, 60_000).await;
        for ttl_ms in [200_123, 100_001] {
            let before = unix_ms();
            let extended = world.one.locks.extend(&orders, &grant.token, ttl_ms).await;
            let after = unix_ms();
            let [Reply::Int(ends)] = world.redis().say("PEXPIRETIME locks:orders").await[..] else { panic!("no time") };
            let Ok(Extended::Until { expires_at_ms }) = extended else { panic!("{extended:?}") };
            let in_order = [before + ttl_ms, expires_at_ms, ends as u64, after + ttl_ms];
            assert!(in_order.is_sorted(), "{in_order:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn several_resources_are_locked_together_or_not_at_all() {
    on_redis(async |world| {
        let (one, other) = (&world.one, &world.other);
        let all = ["c", "a", "b", "a"].map(resource);
        let taken = one.grant(&resource("b"), 60_000).await;
        assert!(matches!(other.locks.acquire(&all, 60_000).await, Ok(Acquired::Taken { .. })));
        assert!(world.is_gone("locks:a locks:c").await, "nothing is left behind");
        one.locks.release(&taken.resource, &taken.token).await.expect("released");
        let Ok(Acquired::Granted(grants)) = other.locks.acquire(&all, 60_000).await else { panic!("all are free") };
        let names: Vec<_> = grants.iter().map(|grant| grant.resource.name()).collect();
        assert_eq!(names, ["a", "b", "c"], "in order, each once");
        assert_eq!(one.try_grant(&resource("c"), 60_000).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_client_gets_the_lock_when_it_ends_or_gives_up() {
    on_redis(async |world| {
        let (one, other) = (&world.one, &world.other);
        let orders = [resource("orders")];
        let grant = one.grant(&orders[0], 60_000).await;
        let started = Instant::now();
        let outcome = other.locks.acquire_within(&orders, 60_000, 100).await;
        assert!(started.elapsed() >= Duration::from_millis(99), "{:?}", started.elapsed());
        assert!(
            matches!(outcome, Ok(Acquired::Taken { retry_after_ms: 1..=59_901 })),
            "{outcome:?}: the remaining TTL"
        );

        let Ok(Extended::Until { expires_at_ms }) = one.locks.extend(&orders[0], &grant.token, 200).await else {
            panic!("it is held")
        };
        let outcome = other.locks.acquire_within(&orders, 60_000, 30_000).await;
        assert!(unix_ms() >= expires_at_ms, "not before the lock ended");
        let Ok(Acquired::Granted(grants)) = outcome else { panic!("{outcome:?}") };
        assert!(grants[0].fencing > grant.fencing);
    })
    .await;
}
