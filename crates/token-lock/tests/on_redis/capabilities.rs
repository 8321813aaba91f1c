//! Servers with and without commands that compare by themselves. The crate probes each server, whatever name or version
//! it reports.

use dev_servers::programs;
use ports::Reply;
use ports::native::TestClient;
use token_lock::{Extended, LockError, Released};

use crate::quorum::Clients;
use crate::world::{on_redis, on_three, resource};

/// Which commands a server says that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    delifeq: bool,
    delex: bool,
    set_ifeq: bool,
}

impl Known {
    pub async fn by(redis: &TestClient) -> Self {
        let info = async |command| redis.say(&format!("COMMAND INFO {command}")).await != [Reply::Nil];
        let set = redis.say("COMMAND DOCS SET").await;
        Self {
            delifeq: info("DELIFEQ").await,
            delex: info("DELEX").await,
            set_ifeq: set.contains(&Reply::Bytes(b"IFEQ".to_vec())),
        }
    }

    /// Whether it has the commands that the crate would use on a server like `other`.
    fn includes(self, other: Self) -> bool {
        let can_delete = match other {
            Self { delifeq: true, .. } => self.delifeq,
            Self { delex: true, .. } => self.delex,
            _ => true,
        };
        can_delete && (self.set_ifeq || !other.set_ifeq)
    }

    /// The commands that delete a lock if it holds the token. Those on a dedicated connection begin with `*`.
    pub fn deletion(self) -> Vec<&'static str> {
        match self {
            Self { delifeq: true, .. } => vec!["DELIFEQ"],
            Self { delex: true, .. } => vec!["DELEX"],
            _ => vec!["*WATCH", "*MULTI", "GET", "*DEL", "*EXEC"],
        }
    }

    /// The commands that set the TTL of a lock if it holds the token.
    pub fn extension(self) -> Vec<&'static str> {
        if self.set_ifeq { vec!["SET"] } else { vec!["*WATCH", "*MULTI", "GET", "*PEXPIRE", "*EXEC"] }
    }
}

/// Checks the commands word for word, as the server receives them.
#[tokio::test]
async fn every_change_of_a_lock_contains_its_token() {
    on_redis(async |world| {
        let known = Known::by(&world.redis()).await;
        let (locks, orders) = (&world.one.locks, resource("orders"));
        let token = world.one.grant(&orders, 600_000).await.token;
        let mut monitor = world.monitor().await;
        assert!(matches!(locks.extend(&orders, &token, 60_000).await, Ok(Extended::Until { .. })));
        assert_eq!(locks.release(&orders, &token).await, Ok(Released::Removed));
        world.redis().say("ECHO the-end").await;
        let seen = monitor.until("the-end").await;
        let on_lock = seen.iter().filter_map(|line| line.split_once("] ")).map(|(_, command)| command);
        let on_lock: Vec<_> = on_lock.filter(|command| command.contains("\"locks:orders\"")).collect();
        let (key, token) = ("\"locks:orders\"", format!("\"{}\"", token.as_str()));
        let watched = |change: &str| vec![format!("\"WATCH\" {key}"), format!("\"GET\" {key}"), change.to_owned()];
        let mut expected = if known.set_ifeq {
            vec![format!("\"SET\" {key} {token} \"IFEQ\" {token} \"PX\" \"60000\"")]
        } else {
            watched(&format!("\"PEXPIRE\" {key} \"60000\""))
        };
        expected.extend(match known {
            Known { delifeq: true, .. } => vec![format!("\"DELIFEQ\" {key} {token}")],
            Known { delex: true, .. } => vec![format!("\"DELEX\" {key} \"IFEQ\" {token}")],
            _ => watched(&format!("\"DEL\" {key}")),
        });
        assert_eq!(on_lock, expected);
    })
    .await;
}

/// An instance may live longer than its server. The next server at the same address may have other commands.
#[tokio::test]
async fn capabilities_are_probed_again_after_a_refusal() {
    on_redis(async |mut world| {
        let programs = programs::redis_servers().expect("there is one");
        let (orders, thiefs) = (resource("orders"), resource("thief's"));
        // What the instance believes.
        let mut believed = Known::by(&world.redis()).await;
        for program in programs.iter().chain(programs.iter().rev()) {
            world.servers[0].replace(program).await.expect("it starts");
            let (instance, known) = (&world.one, Known::by(&world.redis()).await);
            println!("{}: {known:?}", program.display());
            for turn in 0..3 {
                let token = instance.grant(&orders, 60_000).await.token;
                let thief = instance.grant(&thiefs, 60_000).await.token;
                instance.take_commands();
                let extended = instance.locks.extend(&orders, &token, 60_000).await;
                assert!(matches!(extended, Ok(Extended::Until { .. })), "{extended:?}");
                assert_eq!(instance.locks.extend(&orders, &thief, 10).await, Ok(Extended::HeldByAnother));
                assert_eq!(instance.locks.release(&orders, &thief).await, Ok(Released::HeldByAnother));
                assert_eq!(instance.locks.release(&orders, &token).await, Ok(Released::Removed));
                assert_eq!(instance.locks.release(&orders, &token).await, Ok(Released::Expired));
                assert_eq!(instance.locks.release(&thiefs, &thief).await, Ok(Released::Removed));
                let commands = instance.take_commands();
                if turn == 0 && !known.includes(believed) {
                    believed = known;
                    assert!(commands.windows(3).any(|probed| *probed == ["DELIFEQ", "DELEX", "SET"]), "{commands:?}");
                }
                if turn > 0 {
                    assert!(commands.starts_with(&owned(believed.extension())), "{commands:?}");
                    assert!(commands.ends_with(&owned(believed.deletion())), "{commands:?}");
                }
            }
        }
    })
    .await;
}

/// A server without free memory refuses SET, and every command of a transaction.
#[tokio::test]
async fn a_full_server_does_not_look_like_one_without_the_commands() {
    on_redis(async |world| {
        let redis = world.redis();
        let known = Known::by(&redis).await;
        let (instance, orders) = (&world.one, resource("orders"));
        redis.say("CONFIG SET maxmemory-policy noeviction").await;
        for _ in 0..2 {
            let token = instance.grant(&orders, 60_000).await.token;
            redis.say("CONFIG SET maxmemory 1").await;
            for _ in 0..2 {
                let extended = instance.locks.extend(&orders, &token, 60_000).await;
                assert!(
                    matches!(extended, Ok(Extended::Until { .. }) | Err(LockError::Unavailable(_))),
                    "{extended:?}"
                );
            }
            redis.say("CONFIG SET maxmemory 0").await;
            for turn in 0..2 {
                instance.take_commands();
                let extended = instance.locks.extend(&orders, &token, 60_000).await;
                assert!(matches!(extended, Ok(Extended::Until { .. })), "{extended:?}");
                if turn > 0 {
                    assert_eq!(instance.take_commands(), owned(known.extension()));
                }
            }
            assert_eq!(instance.locks.release(&orders, &token).await, Ok(Released::Removed));
        }
    })
    .await;
}

/// Three servers of as many kinds as are installed.
#[tokio::test]
async fn a_quorum_may_have_different_servers() {
    on_three(async |mut world| {
        let programs = programs::redis_servers().expect("there is one");
        for (at, program) in (0..3).zip(programs.iter().cycle()) {
            world.servers[at].replace(program).await.expect("it starts");
            println!("{}: {:?}", program.display(), Known::by(&world.redis_at(at)).await);
        }
        let mut clients = Clients::of(&world);
        for at in 0..3 {
            clients.renew(&world);
            clients.work().await;
            world.servers[at].kill().await.expect("killed");
            for _ in 0..2 {
                clients.work().await;
            }
            world.servers[at].replace(&programs[at % programs.len()]).await.expect("it starts");
        }
    })
    .await;
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
