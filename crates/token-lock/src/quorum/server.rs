//! One Redis server: its client and its capabilities.

use std::cell::Cell;
use std::rc::Rc;

use ports::{Client, ClientSettings, Connect, RedisError, Reply, Runtime};

use crate::capabilities::{self, Capabilities};
use crate::locks::Unreleased;
use crate::settings::Settings;

pub(crate) struct Server<R: Connect, T> {
    pub(crate) client: Client<R, T>,
    /// `None`: not probed yet, or not since a refusal.
    capabilities: Cell<Option<Capabilities>>,
    /// The releases that it has not taken.
    pub(crate) unreleased: Unreleased,
    /// There are no other servers.
    is_single: bool,
}

/// The value of a key.
pub(crate) enum Value {
    Absent,
    Text(Vec<u8>),
    /// Not a string, so another program wrote it.
    Other,
}

impl Value {
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self, Self::Text(bytes) if bytes == text.as_bytes())
    }
}

impl<R: Connect, T: Runtime> Server<R, T> {
    pub(crate) fn new(redis: R, runtime: Rc<T>, settings: Settings, is_single: bool) -> Self {
        let Settings { timeout_ms, circuit_open_ms } = settings;
        // Nothing is repeated here: clients that wait for a lock try again.
        let settings = ClientSettings { timeout_ms, circuit_open_ms, patience_ms: 0 };
        let client = Client::new(redis, runtime, settings);
        Self { client, capabilities: Cell::default(), unreleased: Unreleased::default(), is_single }
    }

    /// Runs an operation with the deadline, unless the circuit is open.
    pub(crate) async fn run<V>(&self, operation: impl Future<Output = Result<V, RedisError>>) -> Result<V, RedisError> {
        if !self.client.admits() {
            return Err(RedisError::Unreachable("the circuit is open after a recent failure".to_owned()));
        }
        self.client.within_timeout(operation).await
    }

    /// [`Server::run`] for an operation on a lock that may be held. A single server is asked even if the circuit is
    /// open: no other server can release or extend the lock.
    pub(crate) async fn run_for_holder<V>(
        &self,
        operation: impl Future<Output = Result<V, RedisError>>,
    ) -> Result<V, RedisError> {
        if self.is_single { self.client.within_timeout(operation).await } else { self.run(operation).await }
    }

    pub(crate) async fn capabilities(&self) -> Result<Capabilities, RedisError> {
        if let Some(known) = self.capabilities.get() {
            return Ok(known);
        }
        let (capabilities, is_certain) = capabilities::probe(&self.client).await?;
        if is_certain {
            self.capabilities.set(Some(capabilities));
        }
        Ok(capabilities)
    }

    /// Makes the next operation probe again: another server may have replaced this one.
    pub(crate) fn forget_capabilities(&self) {
        self.capabilities.set(None);
    }

    pub(crate) async fn value_of(&self, key: &str) -> Result<Value, RedisError> {
        match self.client.send_one("GET", vec![key.into()]).await {
            Ok(Reply::Bytes(bytes)) => Ok(Value::Text(bytes)),
            Ok(_) => Ok(Value::Absent),
            Err(RedisError::Refused(why)) if why.contains("WRONGTYPE") => Ok(Value::Other),
            Err(error) => Err(error),
        }
    }
}
