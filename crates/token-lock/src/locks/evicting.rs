//! Whether a server can lose locks because its memory is full.

use futures_util::future::join_all;
use ports::{Connect, RedisError, Runtime};

use super::Locks;
use crate::quorum::Server;

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// How many of the servers evict keys when their memory is full. Such a server may forget a lock that is held, and
    /// grant it again. A server that does not respond, or does not tell, is not counted.
    pub async fn evicting_servers(&self) -> usize {
        let replies = join_all(self.quorum.servers.iter().map(|server| server.run(memory(server)))).await;
        replies.into_iter().filter(|reply| reply.as_deref().is_ok_and(evicts)).count()
    }
}

async fn memory<R: Connect, T: Runtime>(server: &Server<R, T>) -> Result<String, RedisError> {
    let reply = server.client.send_one("INFO", vec!["memory".into()]).await?;
    Ok(reply.into_bytes().and_then(|text| String::from_utf8(text).ok()).unwrap_or_default())
}

/// Reads the reply to `INFO memory`. A server without a limit evicts nothing. Every policy other than `noeviction` can
/// evict locks, because they have TTLs.
fn evicts(info: &str) -> bool {
    let value = |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let has_limit = value("maxmemory").is_some_and(|bytes| bytes != "0");
    has_limit && value("maxmemory_policy").is_some_and(|policy| policy != "noeviction")
}

#[cfg(test)]
mod tests {
    use super::evicts;

    #[test]
    fn a_server_evicts_if_it_has_a_limit_and_another_policy_than_noeviction() {
        for (limit, policy, expected) in [
            ("134217728", "allkeys-lru", true),
            ("134217728", "volatile-ttl", true),
            ("134217728", "noeviction", false),
            ("0", "allkeys-lru", false),
        ] {
            let info = format!("# Memory\r\nused_memory:1\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\n");
            assert_eq!(evicts(&info), expected, "{info}");
        }
        assert!(!evicts(""));
    }
}
