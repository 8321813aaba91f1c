//! A Redis that lives in memory: the commands that the protocol sends, each atomic, with expiry, WATCH and MULTI as in
//! the real one.

use std::collections::BTreeMap;

use interleavings::{ConnectionId, Defects, Handled, Transactions};

use crate::step::Answer;

/// What the server has in the way of compare-and-delete in one command.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum Flavour {
    /// Redis before 8.4.
    #[default]
    Plain,
    /// DELIFEQ, SET … IFEQ.
    Valkey9,
    /// DELEX … IFEQ, SET … IFEQ.
    Redis84,
}

/// A value and when it expires, in simulated Unix ms.
type Entry = (String, Option<u64>);

/// A command and its arguments.
type Command = (String, Vec<String>);

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Redis {
    pub flavour: Flavour,
    pub keys: BTreeMap<String, Entry>,
    pub transactions: Transactions<Command>,
    /// The greatest number that a counter has ever held: the clock is past it.
    pub greatest: u64,
}

/// What a counter holds that was lost, or almost: more than a test ever draws.
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
        let there = self.keys.remove(key).is_some();
        if there {
            self.transactions.touch(key);
        }
        there
    }

    pub fn expire(&mut self, now_ms: u64) {
        let over = |entry: &Entry| entry.1.is_some_and(|expires| expires <= now_ms);
        let ended: Vec<_> = self.keys.iter().filter(|(_, e)| over(e)).map(|(key, _)| key.clone()).collect();
        for key in &ended {
            self.remove(key);
        }
    }

    /// Everything is gone, as after a restart, except that connections live on: harder to survive.
    pub fn flush(&mut self) {
        let keys: Vec<_> = self.keys.keys().cloned().collect();
        for key in &keys {
            self.remove(key);
        }
    }

    /// A command on a connection of one's own.
    pub fn run_on(
        &mut self,
        connection: ConnectionId,
        command: &str,
        args: &[String],
        now_ms: u64,
        defects: Defects,
    ) -> Answer {
        let key = args.first().map_or("", String::as_str);
        match self.transactions.handle(connection, command, key, (command.to_owned(), args.to_vec()), defects) {
            Handled::Status(status) => Answer::Status(status),
            Handled::Refused(why) => Answer::Refused(why),
            Handled::Nil => Answer::Nil,
            Handled::Exec(queued) => {
                Answer::Several(queued.iter().map(|(command, args)| self.run(command, args, now_ms)).collect())
            }
            Handled::Run((command, args)) => self.run(&command, &args, now_ms),
        }
    }

    pub fn run(&mut self, command: &str, args: &[String], now_ms: u64) -> Answer {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let integer = |text: &str| text.parse::<i64>().expect("an integer");
        let new_server = self.flavour != Flavour::Plain;
        match (command, args.as_slice()) {
            ("GET", [key]) => self.value(key).map_or(Answer::Nil, |value| Answer::Bytes(value.to_owned())),
            ("(a moment)", []) => Answer::Nil,
            ("MGET", keys) => {
                let texts = keys.iter().map(|key| self.value(key).map_or(Answer::Nil, |v| Answer::Bytes(v.to_owned())));
                Answer::Several(texts.collect())
            }
            ("PTTL", [key]) => Answer::Int(match self.keys.get(*key) {
                None => -2,
                Some((_, None)) => -1,
                Some((_, Some(expires))) => (expires - now_ms) as i64,
            }),
            ("EXISTS", [key]) => Answer::Int(self.keys.contains_key(*key).into()),
            ("SET", [key, _, "NX", "PX", _]) if self.keys.contains_key(*key) => Answer::Nil,
            ("SET", [key, value, "NX", "PX", ttl] | [key, value, "PX", ttl]) => {
                self.write(key, (*value).to_owned(), Some(now_ms + integer(ttl) as u64));
                Answer::Status("OK")
            }
            ("SET", [key, value, "IFEQ", expected, "PX", ttl]) if new_server => {
                if self.value(key) != Some(expected) {
                    return Answer::Nil;
                }
                self.write(key, (*value).to_owned(), Some(now_ms + integer(ttl) as u64));
                Answer::Status("OK")
            }
            ("SET", [_, _, "IFEQ", _, "PX", _]) => Answer::Refused("ERR syntax error"),
            ("DEL", [key]) => Answer::Int(self.remove(key).into()),
            ("DELIFEQ", [key, expected]) if self.flavour == Flavour::Valkey9 => {
                Answer::Int((self.value(key) == Some(expected) && self.remove(key)).into())
            }
            ("DELEX", [key, "IFEQ", expected]) if self.flavour == Flavour::Redis84 => {
                Answer::Int((self.value(key) == Some(expected) && self.remove(key)).into())
            }
            ("DELIFEQ" | "DELEX", _) => Answer::Refused("ERR unknown command"),
            ("PEXPIRE", [key, ttl]) => {
                let expires = now_ms + integer(ttl) as u64;
                let Some(value) = self.value(key).map(str::to_owned) else { return Answer::Int(0) };
                self.write(key, value, Some(expires));
                Answer::Int(1)
            }
            ("INCRBY", [key, by]) => {
                let (value, expires) = self.keys.get(*key).cloned().unwrap_or(("0".to_owned(), None));
                let next = integer(&value) + integer(by);
                self.write(key, next.to_string(), expires);
                Answer::Int(next)
            }
            // The least that a clock can show which moves on between any two numbers.
            ("TIME", []) => {
                let us = (now_ms * 1000).max(self.greatest + 1);
                Answer::Several(vec![
                    Answer::Bytes((us / 1_000_000).to_string()),
                    Answer::Bytes((us % 1_000_000).to_string()),
                ])
            }
            other => panic!("the simulated Redis does not know {other:?}"),
        }
    }

    /// The number that the counter under `key` holds, unless it is the remains of a lost one.
    pub fn number(&self, key: &str) -> Option<u64> {
        let number: i64 = self.value(key)?.parse().ok()?;
        (number > SMALL).then_some(number as u64)
    }
}
