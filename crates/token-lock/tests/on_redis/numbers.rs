//! Fencing numbers.

use std::time::Duration;

use futures_util::future::join_all;
use ports::Reply;
use token_lock::{Acquired, Released};

use crate::clients::{Client, Instance, on_redis, resource};

/// Twenty clients with locks that expire while they work: never two who are both in time, and the resource, which
/// checks numbers, never takes a lower one.
#[tokio::test]
async fn a_resource_that_checks_numbers_sees_them_grow() {
    on_redis(async |server| {
        let instances: Vec<_> = (0..4).map(|_| Instance::new([&server])).collect();
        let orders = [resource("orders")];
        let (greatest, accepted) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let clients = (0..20_u64).map(async |at| {
            for turn in 0..10 {
                let locks = &instances[at as usize % 4].locks;
                let Ok(Acquired::Granted(grants)) = locks.acquire_within(&orders, 20, 30_000).await else { continue };
                let grant = &grants[0];
                assert!(grant.fencing > greatest.get(), "{} was granted after {}", grant.fencing, greatest.get());
                greatest.set(grant.fencing);
                // Every third works for longer than its lock lives.
                tokio::time::sleep(Duration::from_millis(if (at + turn) % 3 == 0 { 30 } else { 1 })).await;
                let overtaken = greatest.get() > grant.fencing;
                let released = locks.release(&orders[0], &grant.token).await.expect("Redis answers");
                if released == Released::Removed {
                    assert!(!overtaken, "somebody else held it meanwhile");
                    accepted.set(accepted.get() + 1);
                }
            }
        });
        join_all(clients).await;
        assert!(accepted.get() > 50, "{} of 200", accepted.get());
    })
    .await;
}

#[tokio::test]
async fn numbers_grow_when_the_counter_is_lost() {
    on_redis(async |mut server| {
        let orders = resource("orders");
        let instance = Instance::new([&server]);
        let mut last = 0;
        let mut next = async |instance: &Instance| {
            let grant = instance.grant(&orders, 5_000).await;
            assert!(grant.fencing > last, "{} after {last}", grant.fencing);
            assert!(grant.fencing < 1 << 53);
            last = grant.fencing;
            grant
        };
        for odd in ["DEL fencing:orders", "SET fencing:orders 7", "SET fencing:orders x", "FLUSHALL"] {
            let grant = next(&instance).await;
            let client = Client::new(&server.url());
            client.say(odd).await;
            let _ = instance.locks.release(&orders, &grant.token).await;
            let grant = next(&instance).await;
            instance.locks.release(&orders, &grant.token).await.expect("Redis answers");
            client.say("DEL fencing:orders").await;
            client.say("LPUSH fencing:orders x").await;
        }
        next(&instance).await;
        server.restart().await.expect("restarted");
        next(&Instance::new([&server])).await;
    })
    .await;
}

#[tokio::test]
async fn a_counter_ends_a_day_after_it_began() {
    on_redis(async |server| {
        Instance::new([&server]).grant(&resource("orders"), 5_000).await;
        let [Reply::Int(ttl)] = Client::new(&server.url()).say("TTL fencing:orders").await[..] else {
            panic!("no TTL")
        };
        assert!((86_000..=86_400).contains(&ttl), "{ttl}");
    })
    .await;
}
