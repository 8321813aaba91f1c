//! Fencing numbers.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ports::Reply;
use token_lock::{Acquired, Released};

use crate::world::{Instance, PATIENT, on_redis, resource};

/// Twenty clients use one resource. One third of the time they work for longer than the TTL. Two clients are never both
/// within their TTLs, and the numbers that the resource sees grow.
#[tokio::test]
async fn numbers_grow_while_locks_expire() {
    const RELEASED: u32 = 100;
    const EXPIRED: u32 = 50;
    on_redis(async |world| {
        let instances: Vec<_> = (0..4).map(|_| world.instance(PATIENT)).collect();
        let orders = [resource("orders")];
        let (greatest, released, expired) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let give_up = Instant::now() + Duration::from_secs(100);
        let is_enough = || released.get() >= RELEASED && expired.get() >= EXPIRED || Instant::now() > give_up;
        let clients = (0..20_u64).map(async |client| {
            let locks = &instances[client as usize % 4].locks;
            for turn in 0.. {
                if is_enough() {
                    return;
                }
                // It is no grant if the reply took longer than the TTL.
                let Ok(Acquired::Granted(grants)) = locks.acquire_within(&orders, 40, 30_000).await else { continue };
                let grant = &grants[0];
                assert!(grant.fencing > greatest.get(), "{} was granted after {}", grant.fencing, greatest.get());
                greatest.set(grant.fencing);
                tokio::time::sleep(Duration::from_millis(if (client + turn) % 3 == 0 { 50 } else { 1 })).await;
                let is_overtaken = greatest.get() > grant.fencing;
                if locks.release(&orders[0], &grant.token).await.expect("Redis replies") == Released::Removed {
                    assert!(!is_overtaken, "another client was granted the lock before it ended");
                    released.set(released.get() + 1);
                } else {
                    expired.set(expired.get() + 1);
                }
            }
        });
        join_all(clients).await;
        let (released, expired) = (released.get(), expired.get());
        println!("{released} locks were released in time, {expired} expired");
        assert!(released >= RELEASED && expired >= EXPIRED, "{released} released, {expired} expired");
    })
    .await;
}

#[tokio::test]
async fn numbers_grow_when_the_counter_is_lost() {
    on_redis(async |mut world| {
        let orders = resource("orders");
        let mut last = 0;
        let mut next = async |instance: &Instance| {
            let grant = instance.grant(&orders, 60_000).await;
            assert!(grant.fencing > last, "{} after {last}", grant.fencing);
            assert!(grant.fencing < 1 << 53);
            last = grant.fencing;
            grant
        };
        let redis = world.redis();
        for loss in ["DEL fencing:orders", "SET fencing:orders 7", "SET fencing:orders x", "FLUSHALL"] {
            let grant = next(&world.one).await;
            redis.say(loss).await;
            let _ = world.one.locks.release(&orders, &grant.token).await;
            let grant = next(&world.one).await;
            world.one.locks.release(&orders, &grant.token).await.expect("Redis replies");
            redis.say("DEL fencing:orders").await;
            redis.say("LPUSH fencing:orders x").await;
        }
        next(&world.one).await;
        world.servers[0].restart().await.expect("restarted");
        next(&world.instance(PATIENT)).await;
    })
    .await;
}

#[tokio::test]
async fn a_counter_expires_one_day_after_it_started() {
    on_redis(async |world| {
        world.one.grant(&resource("orders"), 60_000).await;
        let [Reply::Int(ttl_s)] = world.redis().say("TTL fencing:orders").await[..] else { panic!("no TTL") };
        assert!((86_000..=86_400).contains(&ttl_s), "{ttl_s}");
    })
    .await;
}
