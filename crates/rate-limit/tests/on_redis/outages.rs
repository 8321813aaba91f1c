//! Redis does not reply, or refuses.

use std::time::Instant;

use ports::RedisError;
use rate_limit::{Decision, Settings};

use crate::world::{LONG, class, on_redis};

#[tokio::test]
async fn requests_pass_while_redis_hangs_or_is_down() {
    on_redis(async |mut world| {
        let limited = class("1/60s");
        let instance = world.instance(Settings { timeout_ms: 1_000, circuit_open_ms: 3_600_000 });
        assert!(instance.is_allowed(&limited, "a").await);
        assert!(!instance.is_allowed(&limited, "a").await);
        world.server.pause();
        instance.take_commands();
        for attempt in 0..20 {
            let decision = instance.send(&limited, "b").await;
            let Decision::Bypassed(RedisError::Unreachable(why)) = decision else { panic!("{decision:?}") };
            assert_eq!(why.contains("circuit is open"), attempt > 0, "only the first waits for the deadline: {why}");
        }
        assert!(instance.take_commands().len() <= 2, "only the first asks Redis");
        assert!(!instance.is_allowed(&limited, "a").await, "what is certain needs no Redis");
        world.server.resume();

        world.server.kill().await.expect("killed");
        assert!(matches!(world.one.send(&limited, "b").await, Decision::Bypassed(RedisError::Unreachable(_))));
        world.server.restart().await.expect("restarted");
        let give_up = Instant::now() + LONG;
        while matches!(world.one.send(&limited, "c").await, Decision::Bypassed(_)) {
            assert!(Instant::now() < give_up, "the circuit does not close");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!world.other.is_allowed(&limited, "c").await, "it counts again");
    })
    .await;
}

#[tokio::test]
async fn requests_pass_if_redis_refuses_the_commands() {
    on_redis(async |world| {
        let (limited, redis) = (class("5/60s"), world.redis());
        let is_bypassed = |decision| matches!(decision, Decision::Bypassed(RedisError::Refused(_)));
        redis.say("CONFIG SET maxmemory-policy noeviction").await;
        redis.say("CONFIG SET maxmemory 1").await;
        let full = world.one.send(&limited, "a").await;
        assert!(is_bypassed(full.clone()), "{full:?}");
        redis.say("CONFIG SET maxmemory 0").await;
        assert!(world.one.is_allowed(&limited, "a").await);

        let (key, _) = world.ttls().await.remove(0);
        redis.say(&format!("DEL {key}")).await;
        redis.say(&format!("HSET {key} n 1")).await;
        let foreign = world.other.send(&limited, "a").await;
        // With INCREX, the other type of counter is used then.
        assert!(is_bypassed(foreign.clone()) || world.has_increx().await, "{foreign:?}");
        redis.say(&format!("DEL {key}")).await;
        assert!(world.other.is_allowed(&limited, "a").await);
    })
    .await;
}
