//! One counter in Redis: add, subtract, read. Each type of counter has a module.

mod integer;
mod sorted_set;

use ports::{Client, Connect, RedisError, Reply, Runtime};

use crate::key::Type;

/// A counter.
pub(crate) struct Counter {
    pub(crate) counters: Type,
    pub(crate) key: String,
    /// The TTL that it gets when it is created.
    pub(crate) ttl_ms: i64,
}

/// The result of adding to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// What the counter holds now.
    pub(crate) count: u64,
    /// Whether it was changed. `false`: it would have exceeded the bound.
    pub(crate) is_counted: bool,
}

impl Counter {
    /// Adds `cost`, and creates the counter if it does not exist. A server with INCREX adds nothing if the counter
    /// would exceed `at_most`.
    pub(crate) async fn add<R: Connect, T: Runtime>(
        &self,
        client: &Client<R, T>,
        cost: u64,
        at_most: u64,
    ) -> Result<Added, RedisError> {
        match self.counters {
            Type::SortedSet => sorted_set::add(client, &self.key, cost, self.ttl_ms).await,
            Type::Integer => integer::add(client, &self.key, cost, at_most, self.ttl_ms).await,
        }
    }

    /// Subtracts what [`Counter::add`] has added. Never creates a counter.
    pub(crate) async fn subtract<R: Connect, T: Runtime>(
        &self,
        client: &Client<R, T>,
        cost: u64,
    ) -> Result<(), RedisError> {
        match self.counters {
            Type::SortedSet => sorted_set::subtract(client, &self.key, cost).await,
            Type::Integer => integer::subtract(client, &self.key, cost, self.ttl_ms).await,
        }
    }

    /// What it holds; 0 if it does not exist.
    pub(crate) async fn read<R: Connect, T: Runtime>(&self, client: &Client<R, T>) -> Result<u64, RedisError> {
        match self.counters {
            Type::SortedSet => sorted_set::read(client, &self.key).await,
            Type::Integer => integer::read(client, &self.key).await,
        }
    }
}

/// The count in a reply. A negative one counts as 0: a counter was lost before something was subtracted.
fn count(reply: &Reply) -> Result<u64, RedisError> {
    let count = reply.as_int().ok_or_else(|| RedisError::Refused(format!("{reply:?} is not a count")))?;
    Ok(count.max(0) as u64)
}
