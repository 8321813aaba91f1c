//! The majority of three independent servers, of which one may be slow, dead or empty.

use std::time::{Duration, Instant};

use ports::Reply;
use token_lock::{Acquired, Extended, LockError, Released, Resource, Settings};

use crate::clients::{Client, Instance, on_three, resource};

/// Far longer than a majority needs, and shorter than the deadline on one server.
const AT_ONCE: Duration = Duration::from_millis(400);
pub const SETTINGS: Settings = Settings { timeout_ms: 1_000, circuit_open_ms: 1_000 };

/// One client acquires, extends and releases, another is kept out meanwhile.
pub async fn works(one: &Instance, other: &Instance, last: &mut u64) {
    let orders = resource("orders");
    let started = Instant::now();
    // A moment, for what was done last may not have reached the slowest server yet.
    let acquired = one.locks.acquire_within(std::slice::from_ref(&orders), 10_000, 100).await;
    let Ok(Acquired::Granted(grants)) = acquired else { panic!("{acquired:?}") };
    let grant = &grants[0];
    assert!(grant.fencing > *last, "{} after {last}", grant.fencing);
    *last = grant.fencing;
    assert_eq!(other.try_grant(&orders, 10_000).await, None);
    let extended = one.locks.extend(&orders, &grant.token, 10_000).await;
    assert!(matches!(extended, Ok(Extended::Until { .. })), "{extended:?}");
    let inspected = other.locks.inspect(&orders).await.expect("the majority answers");
    assert!(inspected.held.is_some_and(|held| held.ttl_ms > Some(9_000)), "{inspected:?}");
    assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
    let inspected = other.locks.inspect(&orders).await.expect("the majority answers");
    assert_eq!(inspected.held, None);
    assert!(started.elapsed() < AT_ONCE, "nobody waits for the slow one: {:?}", started.elapsed());

    // Each server is asked for its keys, so this may wait for the slow one once.
    let held = one.grant(&resource("held"), 10_000).await;
    assert!(is_listed(other, &held.resource).await);
    assert_eq!(one.locks.release(&held.resource, &held.token).await, Ok(Released::Removed));
}

async fn is_listed(instance: &Instance, resource: &Resource) -> bool {
    let mut cursor = None;
    loop {
        let page = instance.locks.list(cursor.as_deref()).await.expect("the majority answers");
        if page.locks.iter().any(|(listed, _)| listed == resource) {
            return true;
        }
        let Some(next) = page.next else { return false };
        cursor = Some(next);
    }
}

#[tokio::test]
async fn one_slow_or_dead_server_changes_nothing() {
    on_three(async |mut servers| {
        let (one, other) = (Instance::with(&servers, SETTINGS), Instance::with(&servers, SETTINGS));
        let mut last = 0;
        works(&one, &other, &mut last).await;
        for at in [0, 1, 2] {
            servers[at].pause();
            for _ in 0..5 {
                works(&one, &other, &mut last).await;
            }
            servers[at].resume();
            servers[at].kill().await.expect("killed");
            for _ in 0..5 {
                works(&one, &other, &mut last).await;
            }
            servers[at].restart().await.expect("restarted, empty");
            // Until both instances ask it again, as the next one may be gone too.
            tokio::time::sleep(Duration::from_millis(SETTINGS.timeout_ms + SETTINGS.circuit_open_ms)).await;
            for _ in 0..3 {
                works(&one, &other, &mut last).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_majority_nothing_is_granted_and_nothing_is_left() {
    on_three(async |mut servers| {
        let instance = Instance::with(&servers, SETTINGS);
        let orders = resource("orders");
        for server in &mut servers[1..] {
            server.kill().await.expect("killed");
        }
        let outcome = instance.locks.acquire(std::slice::from_ref(&orders), 10_000).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
        assert!(matches!(instance.locks.list(None).await, Ok(page) if page.next.is_some()), "the first one is there");
        assert!(matches!(instance.locks.list(Some("1.0.0")).await, Err(LockError::Unavailable(_))));
        assert_eq!(Client::new(&servers[0].url()).say("EXISTS locks:orders").await, [Reply::Int(0)]);
    })
    .await;
}

#[tokio::test]
async fn who_has_a_minority_gives_it_back() {
    on_three(async |servers| {
        let instance = Instance::with(&servers, SETTINGS);
        let clients = servers.each_ref().map(|server| Client::new(&server.url()));
        for client in &clients[1..] {
            client.say("SET locks:orders somebody PX 60000").await;
        }
        let orders = resource("orders");
        let outcome = instance.locks.acquire(std::slice::from_ref(&orders), 10_000).await;
        assert!(matches!(outcome, Ok(Acquired::Taken { .. })), "{outcome:?}");
        let give_up = Instant::now() + Duration::from_secs(10);
        while clients[0].say("EXISTS locks:orders").await != [Reply::Int(0)] {
            assert!(Instant::now() < give_up);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Counters of which one is far ahead: its numbers count, and the others follow.
#[tokio::test]
async fn numbers_grow_whichever_majority_grants() {
    on_three(async |mut servers| {
        let fresh = |servers: &[_; 3]| (Instance::with(servers, SETTINGS), Instance::with(servers, SETTINGS));
        let mut last = 0;
        let (one, other) = fresh(&servers);
        works(&one, &other, &mut last).await;
        for at in [0, 1, 2, 1] {
            Client::new(&servers[at].url()).say("INCRBY fencing:orders 1000000").await;
            let ahead = last + 1_000_000;
            // The one that is ahead, and one of the others.
            servers[(at + 1) % 3].kill().await.expect("killed");
            let (one, other) = fresh(&servers);
            works(&one, &other, &mut last).await;
            assert!(last >= ahead, "{last} is not ahead");
            servers[(at + 1) % 3].restart().await.expect("restarted");
            // Now without the one that was ahead.
            servers[at].pause();
            let (one, other) = fresh(&servers);
            works(&one, &other, &mut last).await;
            servers[at].resume();
        }
    })
    .await;
}
