//! PostgreSQL connections: each worker has a pool per component, address and root certificate, so that a connection stays
//! on the thread that uses it.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;

/// Connections per component and address in the whole process, as in Spin.
const MAX_CONNECTIONS: usize = 64;

/// The least that each worker has, however many workers there are.
const MIN_CONNECTIONS_PER_WORKER: usize = 8;

/// A certificate that a component trusts in addition to the usual ones.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootCertificate(Vec<u8>);

impl RootCertificate {
    /// The first certificate in `text`.
    pub fn from_pem(text: &str) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())?;
        rustls::RootCertStore::empty().add(certificate.clone())?;
        Ok(Self(certificate.to_vec()))
    }
}

/// A connection that several requests of one instance may use concurrently. It returns to its pool when it is dropped.
#[derive(Clone)]
pub struct Client(Arc<Object>);

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What `connection-builder` of the interface collects.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// `postgres://…`, or `key=value` pairs.
    pub address: String,
    /// In addition to the usual ones.
    pub root: Option<RootCertificate>,
}

type Key = (String, String, Option<RootCertificate>);

/// The pools of one worker.
pub struct Pools {
    pools: Mutex<HashMap<Key, Pool>>,
    connections: usize,
}

impl Pools {
    /// Pools of one of `workers` workers.
    pub fn new(workers: usize) -> Self {
        let connections = (MAX_CONNECTIONS / workers.max(1)).max(MIN_CONNECTIONS_PER_WORKER);
        Self { pools: Mutex::default(), connections }
    }

    /// Waits for a free connection to `address`. Errors: an address that cannot be parsed, a failure to connect.
    pub async fn client(&self, component: &str, address: &str, root: Option<RootCertificate>) -> Result<Client> {
        let pool = self.pool(component, address, root).context("establishing PostgreSQL connection pool")?;
        Ok(Client(Arc::new(pool.get().await?)))
    }

    fn pool(&self, component: &str, address: &str, root: Option<RootCertificate>) -> Result<Pool> {
        let key = (component.to_owned(), address.to_owned(), root);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&key) {
            return Ok(pool.clone());
        }
        let pool = new_pool(address, key.2.as_ref(), self.connections)?;
        pools.insert(key, pool.clone());
        Ok(pool)
    }
}

fn new_pool(address: &str, root: Option<&RootCertificate>, connections: usize) -> Result<Pool> {
    let config: tokio_postgres::Config = address.parse().context("parsing Postgres connection string")?;
    // Resets the session before a connection is reused. An open transaction is not ended.
    let settings = ManagerConfig { recycling_method: RecyclingMethod::Clean };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, settings)
    } else {
        let client_config = match root {
            None => tls::default_client_config().as_ref().clone(),
            Some(RootCertificate(certificate)) => {
                let mut roots = tls::roots().clone();
                roots.add(CertificateDer::from(certificate.as_slice())).context("invalid root certificate")?;
                tls::client_config(roots)
            }
        };
        Manager::from_config(config, MakeRustlsConnect::new(client_config), settings)
    };
    Pool::builder(manager).max_size(connections).build().context("building Postgres connection pool")
}
