//! A simulated Redis: the commands that the crate sends, each atomic, with expiry, WATCH and MULTI as in the real one.

use std::collections::BTreeMap;

use interleavings::{ConnectionId, Defects, Handled, Transactions};

use crate::step::ServerReply;

/// A counter: whether it is a sorted set, its count, and when it expires.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Entry {
    is_set: bool,
    pub count: i64,
    pub expires_ms: Option<u64>,
}

/// A command and its arguments.
type Command = (String, Vec<String>);

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Redis {
    pub has_increx: bool,
    pub keys: BTreeMap<String, Entry>,
    pub transactions: Transactions<Command>,
}

const WRONGTYPE: ServerReply = ServerReply::Refused("WRONGTYPE");

impl Redis {
    /// Creates a counter of the type that this server's clients use.
    pub fn create(&mut self, key: &str, count: i64, expires_ms: u64) {
        self.keys.insert(key.to_owned(), Entry { is_set: !self.has_increx, count, expires_ms: Some(expires_ms) });
    }

    /// Removes a key: evicted or expired.
    pub fn remove(&mut self, key: &str) {
        if self.keys.remove(key).is_some() {
            self.transactions.touch(key);
        }
    }

    /// Removes what has expired. Returns whether there was anything.
    pub fn expire(&mut self, now_ms: u64) -> bool {
        let over = |entry: &Entry| entry.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms);
        let ended: Vec<_> = self.keys.iter().filter(|(_, entry)| over(entry)).map(|(key, _)| key.clone()).collect();
        ended.iter().for_each(|key| self.remove(key));
        !ended.is_empty()
    }

    fn write(&mut self, key: &str, entry: Entry) {
        self.transactions.touch(key);
        self.keys.insert(key.to_owned(), entry);
    }

    /// Runs a command on a dedicated connection.
    pub fn run_on(&mut self, connection: ConnectionId, command: &str, args: &[String], now_ms: u64) -> ServerReply {
        let key = args.first().map_or("", String::as_str);
        let queued = (command.to_owned(), args.to_vec());
        match self.transactions.handle(connection, command, key, queued, Defects::default()) {
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
        match (command, args.as_slice()) {
            ("COMMAND", ["INFO", "INCREX"]) if self.has_increx => ServerReply::Bytes("increx".to_owned()),
            ("COMMAND", ["INFO", "INCREX"]) => ServerReply::Nil,
            ("ZADD", [key, "XX", "INCR", ..]) if !self.keys.contains_key(*key) => ServerReply::Nil,
            ("ZADD", [key, "XX", "INCR", by, "n"] | [key, "INCR", by, "n"]) => {
                let entry = self.keys.get(*key).copied();
                let entry = entry.unwrap_or(Entry { is_set: true, count: 0, expires_ms: None });
                if !entry.is_set {
                    return WRONGTYPE;
                }
                let count = entry.count + integer(by);
                self.write(key, Entry { count, ..entry });
                ServerReply::Bytes(count.to_string())
            }
            ("ZSCORE", [key, "n"]) | ("GET", [key]) => match self.keys.get(*key) {
                None => ServerReply::Nil,
                Some(entry) if entry.is_set != (command == "ZSCORE") => WRONGTYPE,
                Some(entry) => ServerReply::Bytes(entry.count.to_string()),
            },
            ("PEXPIRE", [key, ttl_ms]) => {
                let Some(entry) = self.keys.get(*key).copied() else { return ServerReply::Int(0) };
                self.write(key, Entry { expires_ms: Some(now_ms + integer(ttl_ms) as u64), ..entry });
                ServerReply::Int(1)
            }
            ("INCREX", [key, "BYINT", by, options @ ..]) if self.has_increx => {
                let option = |name: &str| options.chunks(2).find(|pair| pair[0] == name).map(|pair| integer(pair[1]));
                let entry = self.keys.get(*key).copied();
                let entry = entry.unwrap_or(Entry { is_set: false, count: 0, expires_ms: None });
                if entry.is_set {
                    return WRONGTYPE;
                }
                let count = entry.count + integer(by);
                let is_outside = option("UBOUND").is_some_and(|bound| count > bound)
                    || option("LBOUND").is_some_and(|bound| count < bound);
                if is_outside {
                    return ServerReply::Several(vec![ServerReply::Int(entry.count), ServerReply::Int(0)]);
                }
                let expires_ms = option("PX").map(|ttl_ms| now_ms + ttl_ms as u64).or(entry.expires_ms);
                self.write(key, Entry { count, expires_ms, ..entry });
                ServerReply::Several(vec![ServerReply::Int(count), ServerReply::Int(integer(by))])
            }
            ("INCREX", _) => ServerReply::Refused("ERR unknown command"),
            other => panic!("the simulated Redis does not support {other:?}"),
        }
    }
}
