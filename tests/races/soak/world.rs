//! What the soak runs on: two hosts on one Redis, one PostgreSQL, and one or three Redis servers for locks.

use std::sync::Arc;

use blackbox::{Api, App, Host, Origin, Redis, lock_servers};
use fastrand::Rng;
use tempfile::TempDir;

use crate::stale_reads::cache::start_at_zero;

pub struct World {
    /// The first host, which is killed at times, and the stores.
    pub app: App,
    /// The second host, which lives as long as the soak.
    pub second: Host,
    /// Clients of both hosts.
    pub apis: [Api; 2],
    pub lock_servers: Vec<Redis>,
    pub origin: Arc<Origin>,
    /// The last field: the lock servers write into it until they are dropped.
    _folder: TempDir,
}

impl World {
    /// The seed chooses whether there are one or three lock servers.
    pub async fn start(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut lock_servers = lock_servers(folder.path()).await;
        if Rng::with_seed(seed).bool() {
            lock_servers.truncate(1);
        }
        println!("{} lock servers", lock_servers.len());
        let origin = Arc::new(Origin::start().await);
        start_at_zero(&origin);
        let app = App::builder()
            .private_postgres()
            .locks_on(&lock_servers)
            .origin(&origin)
            // A write that commits while Redis is unreachable may be followed by stale reads: this refuses it.
            .variable("cache_write_policy", "consistent")
            // A server that hangs is a fault here: the locks must not wait for it as long as in other tests.
            .variable("lock_timeout_ms", "2000")
            // 5xx and worse: one line for each request would fill the disk.
            .variable("log_level", "warn")
            .spawn()
            .await;
        let (second, other) = app.second_host().await;
        let apis = [app.api.clone(), other];
        Self { app, second, apis, lock_servers, origin, _folder: folder }
    }

    /// No response was a 500, and nothing panicked.
    pub fn expect_no_internal_error(&self) {
        let is_bad = |line: &&str| {
            line.contains("\"event\":\"request\"") && line.contains("\"status\":500")
                || line.contains("panicked")
                || line.contains("wasm trap")
        };
        for host in [&self.app.host, &self.second] {
            let output = host.output();
            let first = output.lines().find(is_bad);
            assert!(first.is_none(), "{}", first.unwrap_or_default());
        }
    }
}
