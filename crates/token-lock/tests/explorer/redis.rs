//! A simulated Redis: the commands that the protocol sends, each atomic, with expiry, WATCH and MULTI as in the real
//! one.

use std::collections::BTreeMap;

use interleavings::{ConnectionId, Defects, Handled, Transactions};

use crate::step::ServerReply;

/// Which commands a server has that compare by themselves.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum ServerKind {
    /// Redis before 8.4.
    #[default]
    Plain,
    /// DELIFEQ, SET … IFEQ.
    Valkey9,
    /// DELEX … IFEQ, SET … IFEQ.
    Redis84,
}

/// A value and when it expires, in simulated Unix ms.
pub type Entry = (String, Option<u64>);

/// A command and its arguments.
type Command = (String, Vec<String>);

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Redis {
    pub kind: ServerKind,
    pub keys: BTreeMap<String, Entry>,
    pub transactions: Transactions<Command>,
    /// The greatest number that a counter has ever held. The clock is always ahead of it.
    pub greatest: u64,
}

/// A counter below this was lost and then incremented. No test increments one that often.
const SMALL: i64 = 1_000_000;

impl Redis {
    pub fn value(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|(value, _)| value.as_str())
    }

    fn write(&mut self, key: &str, value: String, expires: Option<u64>) {
        self.transactions.touch(key);
        self.keys.insert(key.to_owned(), (value, expires));
    }

    /// Removes a key: deleted, evicted or expired.
    pub fn remove(&mut self, key: &str) -> bool {
        let existed = self.keys.remove(key).is_some();
        if existed {
            self.transactions.touch(key);
        }
        existed
    }

    pub fn expire(&mut self, now_ms: u64) {
        let over = |entry: &Entry| entry.1.is_some_and(|expires| expires <= now_ms);
        let ended: Vec<_> = self.keys.iter().filter(|(_, e)| over(e)).map(|(key, _)| key.clone()).collect();
        for key in &ended {
            self.remove(key);
        }
    }

    /// Deletes everything, as a restart does. But connections stay open, which is harder for the protocol.
    pub fn flush(&mut self) {
        let keys: Vec<_> = self.keys.keys().cloned().collect();
        for key in &keys {
            self.remove(key);
        }
    }

    /// Runs a command on a dedicated connection.
    pub fn run_on(
        &mut self,
        connection: ConnectionId,
        command: &str,
        args: &[String],
        now_ms: u64,
        defects: Defects,
    ) -> ServerReply {
        let key = args.first().map_or("", String::as_str);
        match self.transactions.handle(connection, command, key, (command.to_owned(), args.to_vec()), defects) {
            Handled::Status(status) => ServerReply::Status(status),
            Handled::Refused(why) => ServerReply::Refused(why),
            Handled::Nil => ServerReply::Nil,
            Handled::Exec(queued) => {
                ServerReply::Several(queued.iter().map(|(command, args)| self.run(command, args, now_ms)).collect())
            }
            Handled::Run((command, args)) => self.run(&command, &args, now_ms),
        }
    }

    pub fn run(&mut self, command: &str, args: &[String], now_ms: u64) -> ServerReply {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let integer = |text: &str| text.parse::<i64>().expect("an integer");
        let new_server = self.kind != ServerKind::Plain;
        match (command, args.as_slice()) {
            ("GET", [key]) => self.value(key).map_or(ServerReply::Nil, |value| ServerReply::Bytes(value.to_owned())),
            ("(stragglers)", []) => ServerReply::Nil,
            ("MGET", keys) => {
                let texts = keys
                    .iter()
                    .map(|key| self.value(key).map_or(ServerReply::Nil, |v| ServerReply::Bytes(v.to_owned())));
                ServerReply::Several(texts.collect())
            }
            ("PTTL", [key]) => ServerReply::Int(match self.keys.get(*key) {
                None => -2,
                Some((_, None)) => -1,
                Some((_, Some(expires))) => (expires - now_ms) as i64,
            }),
            ("EXISTS", [key]) => ServerReply::Int(self.keys.contains_key(*key).into()),
            ("SET", [key, _, "NX", "PX", _]) if self.keys.contains_key(*key) => ServerReply::Nil,
            ("SET", [key, value, "NX", "PX", ttl] | [key, value, "PX", ttl]) => {
                self.write(key, (*value).to_owned(), Some(now_ms + integer(ttl) as u64));
                ServerReply::Status("OK")
            }
            ("SET", [key, value, "IFEQ", expected, "PX", ttl]) if new_server => {
                if self.value(key) != Some(expected) {
                    return ServerReply::Nil;
                }
                self.write(key, (*value).to_owned(), Some(now_ms + integer(ttl) as u64));
                ServerReply::Status("OK")
            }
            ("SET", [_, _, "IFEQ", _, "PX", _]) => ServerReply::Refused("ERR syntax error"),
            ("DEL", [key]) => ServerReply::Int(self.remove(key).into()),
            ("DELIFEQ", [key, expected]) if self.kind == ServerKind::Valkey9 => {
                ServerReply::Int((self.value(key) == Some(expected) && self.remove(key)).into())
            }
            ("DELEX", [key, "IFEQ", expected]) if self.kind == ServerKind::Redis84 => {
                ServerReply::Int((self.value(key) == Some(expected) && self.remove(key)).into())
            }
            ("DELIFEQ" | "DELEX", _) => ServerReply::Refused("ERR unknown command"),
            ("PEXPIRE", [key, ttl]) => {
                let expires = now_ms + integer(ttl) as u64;
                let Some(value) = self.value(key).map(str::to_owned) else { return ServerReply::Int(0) };
                self.write(key, value, Some(expires));
                ServerReply::Int(1)
            }
            ("INCRBY", [key, by]) => {
                let (value, expires) = self.keys.get(*key).cloned().unwrap_or(("0".to_owned(), None));
                let next = integer(&value) + integer(by);
                self.write(key, next.to_string(), expires);
                ServerReply::Int(next)
            }
            // The least that a clock can show if it advances between any two numbers.
            ("TIME", []) => {
                let us = (now_ms * 1000).max(self.greatest + 1);
                ServerReply::Several(vec![
                    ServerReply::Bytes((us / 1_000_000).to_string()),
                    ServerReply::Bytes((us % 1_000_000).to_string()),
                ])
            }
            other => panic!("the simulated Redis does not support {other:?}"),
        }
    }

    /// The number in the counter `key`, unless the counter was lost.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.keys.get(key).and_then(number_of)
    }

    /// Whether the transaction of a connection raises a counter.
    pub fn raises(&self, connection: ConnectionId) -> bool {
        self.transactions.queued(connection).first().is_some_and(|(command, _)| command == "INCRBY")
    }

    /// Whether a command may read or change `key`.
    pub fn may_touch(&self, connection: Option<ConnectionId>, command: &str, args: &[String], key: &str) -> bool {
        let names = |args: &[String]| args.iter().any(|arg| arg == key);
        let in_transaction = |of: ConnectionId| {
            self.transactions.watched(of).any(|watched| watched == key)
                || self.transactions.queued(of).iter().any(|(_, args)| names(args))
        };
        names(args) || command == "EXEC" && connection.is_some_and(in_transaction)
    }
}

/// The number in a counter, unless the counter was lost.
pub fn number_of((value, _): &Entry) -> Option<u64> {
    let number: i64 = value.parse().ok()?;
    (number > SMALL).then_some(number as u64)
}
