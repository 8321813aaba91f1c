//! `spin:postgres@4.2.0`, on the worker's connection pools.

#![expect(clippy::result_large_err, reason = "the interface's error has all fields of the database's")]

mod column;
mod convert;
mod error;
mod parameter;
mod rows;
mod value_types;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::postgres::postgres::{
    Column, Error, Host, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use super::clients::postgres::{Client, ConnectionSettings};
use super::state::{Spin, SpinState, WorkerResources};
use crate::manifest::AllowedHosts;

type Result<T, E = Error> = std::result::Result<T, E>;
type Connection = Resource<Client>;
type Builder = Resource<ConnectionSettings>;

impl Host for SpinState {}

/// Refuses an address unless each of its hosts is allowed. The client connects to a `hostaddr` instead of its `host`.
fn check_address(allowed: &AllowedHosts, address: &str) -> Result<()> {
    let config: tokio_postgres::Config =
        address.parse().map_err(|e: tokio_postgres::Error| Error::ConnectionFailed(e.to_string()))?;
    let ports = config.get_ports();
    let check = |index: usize, host: &str| {
        let port = if ports.len() == 1 { ports.first() } else { ports.get(index) };
        let url = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if allowed.allows(&url, "postgres") {
            return Ok(());
        }
        Err(Error::ConnectionFailed(format!("address postgres://{url} is not permitted")))
    };
    for (index, host) in config.get_hosts().iter().enumerate() {
        let tokio_postgres::config::Host::Tcp(host) = host else {
            return Err(Error::ConnectionFailed("Unix sockets are not supported on WebAssembly".to_owned()));
        };
        check(index, host)?;
    }
    for (index, address) in config.get_hostaddrs().iter().enumerate() {
        let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        check(index, &host)?;
    }
    Ok(())
}

/// Opens a connection.
async fn open(shared: &WorkerResources, settings: ConnectionSettings) -> Result<Client> {
    check_address(&shared.component.allowed_hosts, &settings.address)?;
    let client = shared.postgres.client(&shared.component.id, settings).await;
    client.map_err(|e| Error::ConnectionFailed(error::with_causes(&e)))
}

impl SpinState {
    fn push_client(&mut self, client: Client) -> Result<Connection> {
        self.table.push(client).map_err(|_| Error::ConnectionFailed("too many connections".into()))
    }

    fn client(&self, connection: &Connection) -> Result<Client> {
        self.table.get(connection).cloned().map_err(|_| Error::ConnectionFailed("no connection found".into()))
    }

    fn settings(&mut self, builder: &Builder) -> Result<&mut ConnectionSettings> {
        self.table.get_mut(builder).map_err(|_| Error::ConnectionFailed("no builder found".into()))
    }
}

impl HostConnection for SpinState {
    async fn open(&mut self, address: String) -> Result<Connection> {
        let client = open(&self.shared, ConnectionSettings { address, root: None }).await?;
        self.push_client(client)
    }

    async fn query(
        &mut self,
        connection: Connection,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<RowSet> {
        rows::all(&self.client(&connection)?, &statement, params).await
    }

    async fn execute(&mut self, connection: Connection, statement: String, params: Vec<ParameterValue>) -> Result<u64> {
        execute(&self.client(&connection)?, &statement, params).await
    }

    async fn drop(&mut self, connection: Connection) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Spin {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Result<Connection> {
        // The store cannot be held while waiting.
        let shared = accessor.with(|mut access| access.get().shared.clone());
        let client = open(&shared, ConnectionSettings { address, root: None }).await?;
        accessor.with(|mut access| access.get().push_client(client))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Connection,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<(Vec<Column>, StreamReader<Row>, FutureReader<Result<()>>), Error> {
        let client = accessor.with(|mut access| access.get().client(&connection))?;
        let (columns, producer, result) = rows::stream(&client, &statement, params).await?;
        let readers = accessor.with(|mut access| -> wasmtime::Result<_> {
            Ok((StreamReader::new(&mut access, producer)?, FutureReader::new(&mut access, result)?))
        });
        let (rows, result) = readers.map_err(|e| Error::Other(e.to_string()))?;
        Ok((columns, rows, result))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Connection,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64> {
        let client = accessor.with(|mut access| access.get().client(&connection))?;
        execute(&client, &statement, params).await
    }
}

async fn execute(client: &Client, statement: &str, params: Vec<ParameterValue>) -> Result<u64> {
    let params = parameter::to_sql(&params).map_err(|e| Error::ValueConversionFailed(error::with_causes(&e)))?;
    client.execute_raw(statement, params).await.map_err(error::query_failed)
}

impl HostConnectionBuilder for SpinState {
    async fn new(&mut self, address: String) -> Builder {
        let settings = ConnectionSettings { address, root: None };
        self.table.push(settings).expect("the table holds as many resources as there are handles")
    }

    async fn set_ca_root(&mut self, builder: Builder, certificate: String) -> Result<()> {
        let root = CertificateDer::from_pem_slice(certificate.as_bytes()).ok();
        let root = root.filter(|root| RootCertStore::empty().add(root.clone()).is_ok());
        let invalid = || Error::Other("invalid root certificate: invalid root certificate".to_owned());
        self.settings(&builder)?.root = Some(root.ok_or_else(invalid)?);
        Ok(())
    }

    async fn build(&mut self, builder: Builder) -> Result<Connection> {
        let settings = self.settings(&builder)?.clone();
        let client = open(&self.shared, settings).await?;
        self.push_client(client)
    }

    async fn drop(&mut self, builder: Builder) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionBuilderWithStore<T> for Spin {
    async fn build_async(accessor: &Accessor<T, Self>, builder: Builder) -> Result<Connection> {
        let (shared, settings) = accessor.with(|mut access| {
            let state = access.get();
            (state.shared.clone(), state.settings(&builder).cloned())
        });
        let client = open(&shared, settings?).await?;
        accessor.with(|mut access| access.get().push_client(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_and_every_address_of_a_host_is_checked() {
        let allowed = AllowedHosts::of(&["postgres://good.example", "postgres://127.0.0.1:7", "postgres://[::1]:7"]);
        for good in [
            "postgres://user:password@good.example/app",
            "host=good.example,127.0.0.1 port=5432,7",
            "host=127.0.0.1 hostaddr=127.0.0.1 port=7",
            "hostaddr=::1 port=7",
        ] {
            assert!(check_address(&allowed, good).is_ok(), "{good}");
        }
        for bad in [
            "postgres://bad.example/app",
            "postgres://good.example,bad.example/app",
            "postgres://good.example/app?host=bad.example",
            "postgres://good.example/app?hostaddr=192.0.2.1",
            "postgres://u@bad.example#@good.example/app",
            "host=good.example hostaddr=192.0.2.1",
            "hostaddr=192.0.2.1 port=5432",
            "hostaddr=::2 port=7",
            "host=good.example port=7",
        ] {
            assert!(check_address(&allowed, bad).is_err(), "{bad}");
        }
    }
}
