//! Who holds a lock, and for how long.

use std::time::{Duration, Instant};

use ports::Reply;
use token_lock::{Acquired, Extended, Released};

use crate::clients::{Client, Instance, on_redis, resource};
use crate::until_gone;

#[tokio::test]
async fn a_lock_is_held_by_one_until_it_is_released() {
    on_redis(async |server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let orders = resource("orders:7");
        let grant = one.grant(&orders, 5_000).await;
        assert_eq!(other.try_grant(&orders, 5_000).await, None);
        assert_eq!(
            other.locks.release(&orders, &other.grant(&resource("x"), 5_000).await.token).await,
            Ok(Released::HeldByAnother)
        );
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
        let next = other.grant(&orders, 5_000).await;
        assert!(next.fencing > grant.fencing);
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Removed));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Expired));
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_expired_says_so() {
    on_redis(async |server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let orders = resource("orders");
        let grant = one.grant(&orders, 30).await;
        until_gone(&Client::new(&server.url()), &orders.key()).await;
        assert_eq!(one.locks.extend(&orders, &grant.token, 1_000).await, Ok(Extended::Expired));
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Expired));
        let next = other.grant(&orders, 5_000).await;
        assert_eq!(one.locks.extend(&orders, &grant.token, 1_000).await, Ok(Extended::HeldByAnother));
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::HeldByAnother));
        assert_eq!(other.locks.release(&orders, &next.token).await, Ok(Released::Removed));
    })
    .await;
}

#[tokio::test]
async fn extending_is_exact_to_the_millisecond() {
    on_redis(async |server| {
        let (instance, client) = (Instance::new([&server]), Client::new(&server.url()));
        let orders = resource("orders");
        let grant = instance.grant(&orders, 5_000).await;
        for ttl_ms in [20_123, 1_001] {
            let extended = instance.locks.extend(&orders, &grant.token, ttl_ms).await;
            let [Reply::Int(ends)] = client.say("PEXPIRETIME locks:orders").await[..] else { panic!("no time") };
            let Ok(Extended::Until { expires_at_ms }) = extended else { panic!("{extended:?}") };
            let late = ends as u64 - expires_at_ms;
            assert!(expires_at_ms <= ends as u64 && late < 1_000, "{expires_at_ms} is {late} ms before the truth");
        }
    })
    .await;
}

#[tokio::test]
async fn several_are_locked_together_or_not_at_all() {
    on_redis(async |server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let all = ["c", "a", "b", "a"].map(resource);
        let taken = one.grant(&resource("b"), 5_000).await;
        assert!(matches!(other.locks.acquire(&all, 5_000).await, Ok(Acquired::Taken { .. })));
        let client = Client::new(&server.url());
        assert_eq!(client.say("EXISTS locks:a locks:c").await, [Reply::Int(0)], "nothing is left behind");
        one.locks.release(&taken.resource, &taken.token).await.expect("released");
        let Ok(Acquired::Granted(grants)) = other.locks.acquire(&all, 5_000).await else { panic!("all are free") };
        let names: Vec<_> = grants.iter().map(|grant| grant.resource.name()).collect();
        assert_eq!(names, ["a", "b", "c"], "in order, each once");
        assert_eq!(one.try_grant(&resource("c"), 5_000).await, None);
    })
    .await;
}

#[tokio::test]
async fn those_who_wait_get_it_and_those_who_wait_too_long_do_not() {
    on_redis(async |server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let orders = [resource("orders")];
        let grant = one.grant(&orders[0], 300).await;
        let waited = Instant::now();
        let outcome = other.locks.acquire_within(&orders, 5_000, 100).await;
        assert!(matches!(outcome, Ok(Acquired::Taken { retry_after_ms: 1..=200 })), "{outcome:?}: what is left");
        assert!(waited.elapsed() >= Duration::from_millis(100));
        let outcome = other.locks.acquire_within(&orders, 5_000, 10_000).await;
        let Ok(Acquired::Granted(grants)) = outcome else { panic!("{outcome:?}") };
        assert!(grants[0].fencing > grant.fencing);
        assert!(waited.elapsed() >= Duration::from_millis(295) && waited.elapsed() < Duration::from_secs(5));
    })
    .await;
}
