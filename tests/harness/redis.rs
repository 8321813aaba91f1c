//! The Redis server of one test.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use dev_servers::RedisServer;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::Monitor;

/// A Redis server and ways to look into it. It derefs to [`RedisServer`]: `kill`, `restart`, `pause`, `resume`.
#[derive(Debug)]
pub struct Redis {
    server: RedisServer,
}

impl Redis {
    /// Starts a server with its data in `folder`.
    pub async fn start(folder: &Path) -> Self {
        Self { server: RedisServer::start(folder).await.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// A client of this server. It connects when it is used.
    pub fn client(&self) -> redis::Client {
        redis::Client::open(self.server.url()).expect("our own URL is valid")
    }

    /// A connection. Panics if the server does not respond.
    pub async fn connection(&self) -> MultiplexedConnection {
        // No timeout of the client's own: on a busy machine a response may take seconds.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let connection = self.client().get_multiplexed_async_connection_with_config(&config).await;
        connection.unwrap_or_else(|error| panic!("Redis: {error}"))
    }

    /// Runs one command, given as words, on a connection of its own and returns the reply. Panics if it fails.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let reply = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut self.connection().await).await;
        reply.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Runs one command, whatever its reply. Panics if it fails.
    pub async fn run(&self, words: &[&str]) {
        let _: redis::Value = self.ask(words).await;
    }

    /// The entries of a stream, oldest first: their ids, and the JSON in their only field, `event`.
    pub async fn stream(&self, key: &str) -> Vec<(String, Value)> {
        let entries: Vec<(String, Vec<String>)> = self.ask(&["XRANGE", key, "-", "+"]).await;
        let event = |fields: Vec<String>| match fields.as_slice() {
            [name, json] if name == "event" => {
                serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
            }
            _ => panic!("{fields:?}"),
        };
        entries.into_iter().map(|(id, fields)| (id, event(fields))).collect()
    }

    /// Starts recording the commands that the server runs.
    pub async fn monitor(&self) -> Monitor {
        Monitor::start(&self.client()).await
    }

    /// Ends the leases of all fills in the cache. A fill that has stored its value leaves its lease, which lasts longer
    /// than a fetch may take. A test that then deletes or damages the entry would wait for that lease.
    pub async fn end_leases(&self) {
        let leases: Vec<String> = self.ask(&["KEYS", "filling:*"]).await;
        for lease in leases {
            self.run(&["DEL", &lease]).await;
        }
    }

    /// The names of all keys, sorted. `metrics` is not among them: every request is counted there, whatever it does.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]).await;
        keys.retain(|key| key != "metrics");
        keys.sort();
        keys
    }
}

impl Deref for Redis {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.server
    }
}
