//! A Redis in memory: the commands that the protocol sends, each of them atomic as in the real Redis.

use std::collections::BTreeMap;

use interleavings::{ConnectionId, Defects, Handled, Transactions};
use ports::{Arg, RedisError, Reply};

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Value {
    Text(Vec<u8>),
    Marks(BTreeMap<Vec<u8>, i64>),
}

/// Keys and values. No key expires: an expiry is like an eviction.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Redis {
    pub keys: BTreeMap<String, Value>,
    /// The TTLs of the keys that have one, in ms, if they are simulated.
    pub ttls: Option<BTreeMap<String, i64>>,
    pub transactions: Transactions<Command>,
}

/// A command and its arguments.
type Command = (String, Vec<Arg>);

fn text(arg: &Arg) -> String {
    match arg {
        Arg::Bytes(bytes) => String::from_utf8(bytes.clone()).expect("the protocol's keys are UTF-8"),
        Arg::Int(number) => number.to_string(),
    }
}

fn bytes(arg: &Arg) -> Vec<u8> {
    match arg {
        Arg::Bytes(bytes) => bytes.clone(),
        Arg::Int(number) => number.to_string().into_bytes(),
    }
}

impl Redis {
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.keys.get(key)? {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Value::Marks(_) => None,
        }
    }

    /// A Redis in which the generations of the modules exist.
    pub fn with_generations() -> Self {
        let keys = ["default", "default:default", "kv", "kv:get"].map(|of| format!("cache:generation:{of}"));
        let number = |at: usize| Value::Text(((1 << 61) + at).to_string().into_bytes());
        let keys = keys.into_iter().enumerate().map(|(at, key)| (key, number(at))).collect();
        Self { keys, ..Self::default() }
    }

    fn get(&self, key: &str) -> Reply {
        match self.keys.get(key) {
            Some(Value::Text(bytes)) => Reply::Bytes(bytes.clone()),
            _ => Reply::Nil,
        }
    }

    /// Gives a generation a number that was never used.
    pub fn outdate(&mut self, generation: &str) {
        self.put(generation.to_owned(), Value::Text(((1_i64 << 61) + 1_000).to_string().into_bytes()));
    }

    /// Changes a value and keeps its TTL.
    fn put(&mut self, key: String, value: Value) {
        self.transactions.touch(&key);
        self.keys.insert(key, value);
    }

    /// From now on TTLs are simulated. Those of the keys that exist are as after their start.
    pub fn simulate_ttls(&mut self, start_ms: i64) {
        self.ttls = Some(self.keys.keys().map(|key| (key.clone(), start_ms)).collect());
    }

    /// `None`: removes the TTL.
    fn set_ttl(&mut self, key: &str, ms: Option<i64>) {
        let Some(ttls) = &mut self.ttls else { return };
        match ms {
            Some(ms) => drop(ttls.insert(key.to_owned(), ms)),
            None => drop(ttls.remove(key)),
        }
    }

    /// PEXPIRE: changes a TTL if the condition holds. No TTL counts as infinite.
    fn expire(&mut self, key: &str, ms: i64, only: &str) {
        let Some(ttls) = self.ttls.as_ref().filter(|_| self.keys.contains_key(key)) else { return };
        let now = ttls.get(key).copied();
        let applies = match only {
            "NX" => now.is_none(),
            "GT" => now.is_some_and(|now| now < ms),
            "LT" => now.is_none_or(|now| now > ms),
            _ => true,
        };
        if applies {
            self.set_ttl(key, Some(ms));
        }
    }

    /// What is wrong with the TTLs when nothing is under way: a version without an end, or a version that ends before
    /// the current entry under `entry`.
    pub fn wrong_ttl(&self, entry: &str, versions: &[&str]) -> Option<String> {
        let ttls = self.ttls.as_ref()?;
        let endless = self
            .keys
            .keys()
            .find(|key| (key.contains(":version:") || key.contains(":generation:")) && !ttls.contains_key(*key));
        if let Some(key) = endless {
            return Some(format!("{key} has no end"));
        }
        let current = self.int(versions[0]).map(|number| number.to_string())?;
        let (key, _) = self.keys.iter().find(|(key, value)| match value {
            Value::Text(bytes) => {
                **key == entry && bytes.starts_with(current.as_bytes())
                    || key.starts_with(entry) && key.contains(&format!("-v{current}:"))
            }
            Value::Marks(_) => false,
        })?;
        let short =
            versions.iter().find(|version| self.keys.contains_key(**version) && ttls.get(**version) < ttls.get(key))?;
        Some(format!("{short} ends before {key}"))
    }

    /// Removes a key that is deleted, evicted or flushed.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let removed = self.keys.remove(key)?;
        self.set_ttl(key, None);
        self.transactions.touch(key);
        Some(removed)
    }

    /// Runs a command on a dedicated connection.
    pub fn run_on(
        &mut self,
        connection: ConnectionId,
        name: &str,
        args: Vec<Arg>,
        defects: Defects,
    ) -> Result<Vec<Reply>, RedisError> {
        let key = args.first().map(text).unwrap_or_default();
        let command = (name.to_owned(), args);
        match self.transactions.handle(connection, name, &key, command, defects) {
            Handled::Status(status) => Ok(vec![Reply::Status(status.to_owned())]),
            Handled::Refused(why) => Err(RedisError::Refused(why.to_owned())),
            Handled::Nil => Ok(vec![Reply::Nil]),
            Handled::Exec(queued) => queued.iter().try_fold(Vec::new(), |mut replies, command| {
                replies.extend(self.run_one(command)?);
                Ok(replies)
            }),
            Handled::Run(command) => self.run_one(&command),
        }
    }

    fn run_one(&mut self, (command, args): &Command) -> Result<Vec<Reply>, RedisError> {
        self.run(command, args)
    }

    pub fn run(&mut self, command: &str, args: &[Arg]) -> Result<Vec<Reply>, RedisError> {
        let key = text(&args[0]);
        let one = match command {
            "GET" => self.get(&key),
            "MGET" => return Ok(args.iter().map(|key| self.get(&text(key))).collect()),
            "PTTL" => Reply::Int(if self.keys.contains_key(&key) { 300_000 } else { -2 }),
            "PEXPIRE" => {
                self.expire(&key, text(&args[1]).parse().expect("ms"), &args.get(2).map(text).unwrap_or_default());
                Reply::Int(self.keys.contains_key(&key).into())
            }
            "SET" => {
                let only = |word: &str| args[2..].iter().any(|option| text(option) == word);
                let there = self.keys.contains_key(&key);
                if only("NX") && there || only("XX") && !there {
                    Reply::Nil
                } else {
                    if !only("KEEPTTL") {
                        let px = args[2..].iter().position(|option| text(option) == "PX");
                        self.set_ttl(&key, px.and_then(|at| text(&args[at + 3]).parse().ok()));
                    }
                    self.put(key, Value::Text(bytes(&args[1])));
                    Reply::Status("OK".into())
                }
            }
            "MSET" => {
                for pair in args.chunks(2) {
                    self.set_ttl(&text(&pair[0]), None);
                    self.put(text(&pair[0]), Value::Text(bytes(&pair[1])));
                }
                Reply::Status("OK".into())
            }
            "INCR" => {
                let next = self.int(&key).unwrap_or(0) + 1;
                self.put(key, Value::Text(next.to_string().into_bytes()));
                Reply::Int(next)
            }
            "RENAME" => match self.remove(&key) {
                Some(value) => {
                    self.put(text(&args[1]), value);
                    Reply::Status("OK".into())
                }
                None => return Err(RedisError::Refused("ERR no such key".into())),
            },
            "UNLINK" => Reply::Int(args.iter().filter(|key| self.remove(&text(key)).is_some()).count() as i64),
            "SCAN" => {
                let pattern = text(&args[2]);
                let prefix = pattern.strip_suffix('*').expect("a prefix");
                let keys = self.keys.keys().filter(|key| key.starts_with(prefix));
                let keys = keys.map(|key| Reply::Bytes(key.as_bytes().to_vec()));
                return Ok(std::iter::once(Reply::Bytes(b"0".to_vec())).chain(keys).collect());
            }
            "DEL" => Reply::Int(self.remove(&key).is_some().into()),
            "EXISTS" => Reply::Int(args.iter().filter(|key| self.keys.contains_key(&text(key))).count() as i64),
            "HINCRBY" => Reply::Int(1),
            "ZADD" => {
                let marks = self.keys.entry(key).or_insert_with(|| Value::Marks(BTreeMap::new()));
                let Value::Marks(marks) = marks else { panic!("marks only") };
                marks.insert(bytes(&args[2]), text(&args[1]).parse().expect("a score"));
                Reply::Int(1)
            }
            "ZREM" => {
                if let Some(Value::Marks(marks)) = self.keys.get_mut(&key) {
                    marks.remove(&bytes(&args[1]));
                    if marks.is_empty() {
                        self.remove(&key);
                    }
                }
                Reply::Int(1)
            }
            "ZCOUNT" => {
                let oldest: i64 = text(&args[1]).parse().expect("a score");
                assert_eq!(text(&args[2]), "+inf");
                // 1 instead of the number: the protocol only asks whether there are marks.
                Reply::Int(match self.keys.get(&key) {
                    Some(Value::Marks(marks)) => marks.values().any(|score| *score >= oldest).into(),
                    _ => 0,
                })
            }
            other => panic!("the simulated Redis does not know {other}"),
        };
        Ok(vec![one])
    }
}
