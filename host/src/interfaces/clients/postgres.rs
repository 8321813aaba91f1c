//! PostgreSQL connections: each worker has a pool per component, address and root certificate, so that a connection
//! stays on the thread that uses it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use rustls::pki_types::CertificateDer;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;

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
        Ok(Arc::new(pool.get().await?))
    }

    fn pool(&self, component: &str, settings: ConnectionSettings) -> Result<Pool> {
        Ok(match self.pools.lock().unwrap_or_else(PoisonError::into_inner).entry((component.to_owned(), settings)) {
            Entry::Occupied(pool) => pool.get().clone(),
            Entry::Vacant(place) => {
                let pool = new_pool(&place.key().1, self.connections)?;
                place.insert(pool).clone()
            }
        })
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
