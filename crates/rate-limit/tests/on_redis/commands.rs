//! Which commands reach Redis, and what they leave there.

use futures_util::future::join_all;
use rate_limit::{Class, Decision, Policy, Quota};

use crate::world::{World, class, on_redis};

/// The command that counts, the one that reads, and what a refusal adds: INCREX compares by itself.
async fn counting(world: &World) -> (&'static str, &'static str, Vec<&'static str>) {
    if world.has_increx().await { ("INCREX", "GET", vec![]) } else { ("ZADD", "ZSCORE", vec!["ZADD"]) }
}

#[tokio::test]
async fn round_trips() {
    on_redis(async |world| {
        let (count, read, subtract) = counting(&world).await;
        let limited = class("3/60s");
        let one = &world.one;
        assert!(one.is_allowed(&limited, "a").await);
        let mut new = vec!["COMMAND", count, read];
        if count == "ZADD" {
            new.extend(["connect", "*WATCH", "*MULTI", "*ZADD", "*PEXPIRE", "*EXEC"]);
        }
        assert_eq!(one.take_commands(), new, "a new counter");
        assert!(world.other.is_allowed(&limited, "a").await);
        assert_eq!(world.other.take_commands(), ["COMMAND", count, read], "another instance has created it");
        world.set_clock(5_000);
        assert!(one.is_allowed(&limited, "a").await);
        assert_eq!(one.take_commands(), [count, read], "both at once: one round trip");
        assert!(!world.other.is_allowed(&limited, "a").await);
        tokio::task::yield_now().await;
        let mut refusal = vec![count, read];
        refusal.extend(&subtract);
        assert_eq!(world.other.take_commands(), refusal, "the subtraction does not delay the response");
        for _ in 0..10_000 {
            assert!(!world.other.is_allowed(&limited, "a").await);
        }
        assert_eq!(world.other.take_commands(), [""; 0], "a flood costs Redis nothing");

        let plenty = class("1000/60s");
        assert!(one.is_allowed(&plenty, "b").await);
        one.take_commands();
        for _ in 0..5 {
            assert!(one.is_allowed(&plenty, "b").await);
            assert_eq!(one.take_commands(), [count], "the previous window is known");
        }
        if count == "ZADD" {
            assert!(one.is_allowed(&plenty, "c").await);
            let commands = one.take_commands();
            assert_eq!(commands[2..], ["*WATCH", "*MULTI", "*ZADD", "*PEXPIRE", "*EXEC"], "the connection is kept");
        }
    })
    .await;
}

#[tokio::test]
async fn every_counter_has_an_expiry() {
    on_redis(async |world| {
        let limited = class("20/2s");
        // Both instances create the same counters at the same time, and most requests are refused.
        for window in 0..3 {
            for step in 0..4 {
                world.set_clock(2_000 * window + 500 * step);
                let requests = (0..400).map(|number| {
                    let (instance, client) = (if number % 2 == 0 { &world.one } else { &world.other }, number % 10);
                    let (limited, client) = (&limited, client.to_string());
                    async move { instance.send(limited, &client).await }
                });
                join_all(requests).await;
            }
        }
        let ttls = world.ttls().await;
        assert!(ttls.len() >= 20, "{ttls:?}");
        for (key, ttl_ms) in ttls {
            assert!(key.starts_with("ratelimit"), "{key}");
            assert!((1..=5_000).contains(&ttl_ms), "{key} expires in {ttl_ms} ms");
        }
    })
    .await;
}

#[tokio::test]
async fn refused_requests_use_no_quota() {
    on_redis(async |world| {
        let limited = class("10/60s");
        let requests = (0..100).map(|number| {
            let instance = if number % 2 == 0 { &world.one } else { &world.other };
            instance.is_allowed(&limited, "a")
        });
        let allowed = join_all(requests).await.into_iter().filter(|is_allowed| *is_allowed).count();
        assert_eq!(allowed, 10);
        let key = world.ttls().await.remove(0).0;
        world.until_count(&key, 10).await;
    })
    .await;
}

#[tokio::test]
async fn decisions_say_what_is_left_and_when_to_come_again() {
    on_redis(async |world| {
        let limited = class("10/60s");
        let allowed = |remaining, reset_ms| Decision::Allowed(Quota { remaining, reset_ms });
        let refused = |remaining, reset_ms| Decision::Refused(Quota { remaining, reset_ms });
        world.set_clock(20_000);
        assert_eq!(world.one.send(&limited, "a").await, allowed(9, 40_000));
        assert_eq!(world.one.limiter.check(&limited, "a", 8).await, allowed(1, 40_000));
        // In the next window, 9 × (1 − 1/18) = 8.5 is rounded up. One millisecond later there is room for 2.
        assert_eq!(world.one.limiter.check(&limited, "a", 2).await, refused(1, 40_000 + 3_334));
        // 10 × (1 − 1/20) = 9.5.
        assert_eq!(world.one.send(&limited, "a").await, allowed(0, 40_000 + 3_001));
        assert_eq!(world.other.send(&limited, "a").await, refused(0, 40_000 + 3_001));
        // What was refused is subtracted in the background.
        let key = world.ttls().await.remove(0).0;
        world.until_count(&key, 10).await;
        world.set_clock(63_000);
        assert_eq!(world.one.send(&limited, "a").await, refused(0, 1));
        assert_eq!(world.other.send(&limited, "a").await, refused(0, 1));
        world.set_clock(63_001);
        assert!(world.other.is_allowed(&limited, "a").await);
        assert!(!world.one.is_allowed(&limited, "a").await, "both instances count together");
        world.set_clock(180_000);
        assert_eq!(world.one.send(&limited, "a").await, allowed(9, 60_000));
    })
    .await;
}

#[tokio::test]
async fn clients_and_classes_have_quotas_of_their_own() {
    on_redis(async |world| {
        let limited = class("1/60s");
        let api = Class::api(Policy::new(1, 60_000).expect("valid"));
        for class in [&limited, &api] {
            for client in ["a", "b", "a:b", "\u{e9} \n*"] {
                assert!(world.one.is_allowed(class, client).await, "{client:?}");
                assert!(!world.other.is_allowed(class, client).await, "{client:?}");
            }
        }
    })
    .await;
}
