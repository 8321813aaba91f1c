//! The Redis server of the examples.

use std::error::Error;

use dev_servers::RedisServer;
use ports::native::NativeRedis;

/// A server and the folder of its log. Dropping this stops the server and removes the folder.
pub type Private = (RedisServer, tempfile::TempDir);

/// A client of the Redis at `REDIS_URL`. If that is not set, a client of a private server.
pub async fn redis() -> Result<(NativeRedis, Option<Private>), Box<dyn Error>> {
    if let Ok(url) = std::env::var("REDIS_URL") {
        return Ok((NativeRedis::new(&url)?, None));
    }
    let folder = tempfile::tempdir()?;
    let server = RedisServer::start(folder.path()).await?;
    Ok((NativeRedis::new(&server.url())?, Some((server, folder))))
}
