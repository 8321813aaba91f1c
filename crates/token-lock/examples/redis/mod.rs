//! The Redis server of an example.

use std::rc::Rc;

use dev_servers::RedisServer;
use ports::native::{NativeRedis, NativeRuntime};
use token_lock::{Locks, Settings};

/// Runs an example on the server at `REDIS_URL`, or on a private `redis-server` that ends with the example.
pub async fn with_locks(example: impl AsyncFnOnce(Rc<Locks<NativeRedis, NativeRuntime>>)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut private = None;
    let url = match std::env::var("REDIS_URL") {
        Ok(url) => url,
        Err(_) => private.insert(RedisServer::start(folder.path()).await.expect("redis-server is installed")).url(),
    };
    let redis = NativeRedis::new(&url).expect("REDIS_URL is a Redis URL");
    let locks = Locks::new(vec![redis], NativeRuntime::default(), Settings::default());
    // The locks start background tasks on the current thread.
    tokio::task::LocalSet::new().run_until(example(locks)).await;
}
