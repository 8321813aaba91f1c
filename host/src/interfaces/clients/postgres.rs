//! PostgreSQL connections: each worker has a pool per component, address and root certificate, so that a connection
//! stays on the thread that uses it.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use rustls::pki_types::CertificateDer;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;

/// How long a connection is kept that nobody uses. Then other hosts can have it.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// The pools of all workers. If PostgreSQL has no connection left for one worker, others may have idle ones.
static ALL_POOLS: Mutex<Vec<Pool>> = Mutex::new(Vec::new());

/// How many connections there may be: an option of the command line.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConnectionLimit {
    /// PostgreSQL connections of a component to one address, of all threads together, but at least one per thread.
    /// Requests wait while all are in use. Two hosts with three components that use a database open up to 96 with the
    /// default; PostgreSQL accepts 100 by default.
    #[arg(long = "max-postgres-connections", value_name = "COUNT", default_value = "16")]
    pub connections: NonZeroUsize,
}

impl ConnectionLimit {
    /// The share of each of `workers` workers.
    fn per_worker(self, workers: usize) -> usize {
        (self.connections.get() / workers.max(1)).max(1)
    }
}

/// A connection that several requests of one instance may use concurrently. It returns to its pool when it is dropped.
pub type Client = Arc<Object>;

/// What `connection-builder` of the interface collects.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ConnectionSettings {
    /// `postgres://…`, or `key=value` pairs.
    pub address: String,
    /// A certificate that the component trusts in addition to the usual ones.
    pub root: Option<CertificateDer<'static>>,
}

/// The pools of one worker.
pub struct Pools {
    /// By component.
    pools: Mutex<HashMap<(String, ConnectionSettings), Pool>>,
    connections: usize,
}

impl Pools {
    /// Pools of one of `workers` workers.
    pub fn new(limit: ConnectionLimit, workers: usize) -> Self {
        Self { pools: Mutex::default(), connections: limit.per_worker(workers) }
    }

    /// Waits for a free connection. Errors: an address that cannot be parsed, a failure to connect.
    pub async fn client(&self, component: &str, settings: ConnectionSettings) -> Result<Client> {
        let pool = self.pool(component, settings).context("establishing PostgreSQL connection pool")?;
        match pool.get().await {
            Ok(client) => Ok(Arc::new(client)),
            Err(error) => {
                if is_full(&error) {
                    close_one_idle();
                }
                Err(error.into())
            }
        }
    }

    /// Closes connections that nobody uses, again and again. Never returns.
    pub async fn keep_closing_idle(&self) {
        loop {
            tokio::time::sleep(MAX_IDLE / 2).await;
            for pool in self.pools.lock().unwrap_or_else(PoisonError::into_inner).values() {
                pool.retain(|_, metrics| metrics.last_used() < MAX_IDLE);
            }
        }
    }

    fn pool(&self, component: &str, settings: ConnectionSettings) -> Result<Pool> {
        Ok(match self.pools.lock().unwrap_or_else(PoisonError::into_inner).entry((component.to_owned(), settings)) {
            Entry::Occupied(pool) => pool.get().clone(),
            Entry::Vacant(place) => {
                let pool = new_pool(&place.key().1, self.connections)?;
                ALL_POOLS.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
                place.insert(pool).clone()
            }
        })
    }
}

/// Whether the server refuses further connections.
fn is_full(error: &PoolError) -> bool {
    matches!(error, PoolError::Backend(cause) if cause.code() == Some(&SqlState::TOO_MANY_CONNECTIONS))
}

/// Closes one idle connection of any worker, if there is one. The next attempt to connect may get its place.
fn close_one_idle() {
    let closed = Cell::new(false);
    for pool in ALL_POOLS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        pool.retain(|_, _| closed.replace(true));
        if closed.get() {
            return;
        }
    }
}

fn new_pool(ConnectionSettings { address, root }: &ConnectionSettings, connections: usize) -> Result<Pool> {
    let config: tokio_postgres::Config = address.parse().context("parsing Postgres connection string")?;
    // Resets the session before a connection is reused. An open transaction is not ended.
    let settings = ManagerConfig { recycling_method: RecyclingMethod::Clean };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, settings)
    } else {
        let client_config = match root {
            None => tls::CLIENT_CONFIG.clone(),
            Some(certificate) => {
                let mut roots = tls::ROOTS.clone();
                roots.add(certificate.clone()).context("invalid root certificate")?;
                tls::client_config(roots)
            }
        };
        Manager::from_config(config, MakeRustlsConnect::new(client_config), settings)
    };
    Pool::builder(manager).max_size(connections).build().context("building Postgres connection pool")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_connections() {
        let limit = |count| ConnectionLimit { connections: NonZeroUsize::new(count).expect("not 0") };
        assert_eq!([1, 2, 5, 16, 64].map(|workers| limit(16).per_worker(workers)), [16, 8, 3, 1, 1]);
    }
}
