//! Servers that know other commands: each is asked what it knows, whatever it calls itself. The environment variable
//! `REDIS_SERVER` names another server than the one in PATH.

use dev_servers::{RedisServer, programs};
use ports::Reply;
use token_lock::{Extended, LockError, Released};

use crate::clients::{Client, Instance, Monitor, on_redis, on_three, resource};
use crate::majority::{SETTINGS, works};

/// What a server says of its own commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    delifeq: bool,
    delex: bool,
    set_ifeq: bool,
}

impl Known {
    pub async fn by(server: &RedisServer) -> Self {
        let client = Client::new(&server.url());
        let info = async |command| client.say(&format!("COMMAND INFO {command}")).await != [Reply::Nil];
        let set = client.say("COMMAND DOCS SET").await;
        Self {
            delifeq: info("DELIFEQ").await,
            delex: info("DELEX").await,
            set_ifeq: set.contains(&Reply::Bytes(b"IFEQ".to_vec())),
        }
    }

    /// Whether it has all that is used of a server like `other`.
    fn includes(self, other: Self) -> bool {
        let can_delete = match other {
            Self { delifeq: true, .. } => self.delifeq,
            Self { delex: true, .. } => self.delex,
            _ => true,
        };
        can_delete && (self.set_ifeq || !other.set_ifeq)
    }

    /// What deletes a lock if it holds the token. With a `*`: on a connection of its own.
    pub fn deletion(self) -> Vec<&'static str> {
        match self {
            Self { delifeq: true, .. } => vec!["DELIFEQ"],
            Self { delex: true, .. } => vec!["DELEX"],
            _ => vec!["*WATCH", "*MULTI", "GET", "*DEL", "*EXEC"],
        }
    }

    /// What lets a lock end later if it holds the token.
    pub fn extension(self) -> Vec<&'static str> {
        if self.set_ifeq { vec!["SET"] } else { vec!["*WATCH", "*MULTI", "GET", "*PEXPIRE", "*EXEC"] }
    }
}

/// The commands as the server sees them, word for word.
#[tokio::test]
async fn a_lock_is_touched_only_with_its_token() {
    on_redis(async |server| {
        let known = Known::by(&server).await;
        let (instance, orders) = (Instance::new([&server]), resource("orders"));
        let token = instance.grant(&orders, 60_000).await.token;
        let mut monitor = Monitor::of(&server).await;
        assert!(matches!(instance.locks.extend(&orders, &token, 5_000).await, Ok(Extended::Until { .. })));
        assert_eq!(instance.locks.release(&orders, &token).await, Ok(Released::Removed));
        Client::new(&server.url()).say("ECHO the-end").await;
        let seen = monitor.line("the-end").await;
        let on_lock = seen.iter().filter_map(|line| line.split_once("] ")).map(|(_, command)| command);
        let on_lock: Vec<_> = on_lock.filter(|command| command.contains("\"locks:orders\"")).collect();
        let (key, token) = ("\"locks:orders\"", format!("\"{}\"", token.as_str()));
        let watched = |change: &str| vec![format!("\"WATCH\" {key}"), format!("\"GET\" {key}"), change.to_owned()];
        let mut expected = if known.set_ifeq {
            vec![format!("\"SET\" {key} {token} \"IFEQ\" {token} \"PX\" \"5000\"")]
        } else {
            watched(&format!("\"PEXPIRE\" {key} \"5000\""))
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

/// An instance outlives its server: the next one under the same address may know other commands.
#[tokio::test]
async fn a_server_that_is_replaced_by_another_kind_is_asked_anew() {
    on_redis(async |mut server| {
        let programs = programs::redis_servers().expect("there is one");
        let (instance, orders, thiefs) = (Instance::new([&server]), resource("orders"), resource("thief's"));
        // What the instance takes the server for.
        let mut taken_for = Known::by(&server).await;
        for program in programs.iter().chain(programs.iter().rev()) {
            server.replace(program).await.expect("it starts");
            let known = Known::by(&server).await;
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
                if turn == 0 && !known.includes(taken_for) {
                    taken_for = known;
                    assert!(commands.windows(3).any(|asked| *asked == ["DELIFEQ", "DELEX", "SET"]), "{commands:?}");
                }
                if turn > 0 {
                    assert!(commands.starts_with(&owned(taken_for.extension())), "{commands:?}");
                    assert!(commands.ends_with(&owned(taken_for.deletion())), "{commands:?}");
                }
            }
        }
    })
    .await;
}

/// A full server refuses SET, and in a transaction everything.
#[tokio::test]
async fn what_a_full_server_refuses_is_not_taken_for_what_it_does_not_know() {
    on_redis(async |server| {
        let (known, client) = (Known::by(&server).await, Client::new(&server.url()));
        let (instance, orders) = (Instance::new([&server]), resource("orders"));
        client.say("CONFIG SET maxmemory-policy noeviction").await;
        for _ in 0..2 {
            let token = instance.grant(&orders, 60_000).await.token;
            client.say("CONFIG SET maxmemory 1").await;
            for _ in 0..2 {
                let extended = instance.locks.extend(&orders, &token, 60_000).await;
                assert!(
                    matches!(extended, Ok(Extended::Until { .. }) | Err(LockError::Unavailable(_))),
                    "{extended:?}"
                );
            }
            client.say("CONFIG SET maxmemory 0").await;
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

/// Three servers of as many kinds as there are.
#[tokio::test]
async fn a_quorum_may_be_of_different_servers() {
    on_three(async |mut servers| {
        let programs = programs::redis_servers().expect("there is one");
        for (server, program) in servers.iter_mut().zip(programs.iter().cycle()) {
            server.replace(program).await.expect("it starts");
            println!("{}: {:?}", program.display(), Known::by(server).await);
        }
        let mut last = 0;
        for at in 0..3 {
            let (one, other) = (Instance::with(&servers, SETTINGS), Instance::with(&servers, SETTINGS));
            works(&one, &other, &mut last).await;
            servers[at].kill().await.expect("killed");
            for _ in 0..2 {
                works(&one, &other, &mut last).await;
            }
            servers[at].replace(&programs[at % programs.len()]).await.expect("it starts");
        }
    })
    .await;
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
