//! The Redis server of one test.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use dev_servers::RedisServer;
use redis::aio::MultiplexedConnection;

use crate::Monitor;

/// A Redis server and ways to look into it. It derefs to [`RedisServer`]: `kill`, `restart`, `pause`, `resume`.
#[derive(Debug)]
pub struct Redis {
    server: RedisServer,
}

impl Redis {
    pub(crate) async fn start(folder: &Path) -> Self {
        Self { server: RedisServer::start(folder).await.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// A client of this server, which connects when it is asked to.
    pub fn client(&self) -> redis::Client {
        redis::Client::open(self.server.url()).expect("our own URL is valid")
    }

    /// A connection. Panics if the server does not answer.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.client().get_multiplexed_async_connection().await.unwrap_or_else(|error| panic!("Redis: {error}"))
    }

    /// Starts recording the commands that the server runs.
    pub async fn monitor(&self) -> Monitor {
        Monitor::start(&self.client()).await
    }

    /// The names of all keys, sorted.
    pub async fn keys(&self) -> Vec<String> {
        let keys = redis::cmd("KEYS").arg("*").query_async(&mut self.connection().await).await;
        let mut keys: Vec<String> = keys.unwrap_or_else(|error| panic!("Redis: {error}"));
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
