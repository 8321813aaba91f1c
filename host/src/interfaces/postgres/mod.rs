//! `spin:postgres@4.2.0` over connection pools: one pool per component and address on each worker.

#![expect(clippy::result_large_err, reason = "the interface's error has all fields of the database's")]

mod column;
mod convert;
mod error;
mod parameter;
mod pool;
mod rows;
mod value_types;

use anyhow::Context as _;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::spin::postgres::postgres::{
    Column, Error, Host, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use super::{MAX_BUFFERED_BYTES, Platform};
use crate::egress::AllowedHosts;
use crate::state::InstanceState;
pub use pool::Pools;
use pool::{Client, RootCertificate};

/// A connection out of a pool; back it goes when the component drops it.
pub struct Connection(Client);

/// What a connection will be opened with.
pub struct ConnectionBuilder {
    address: String,
    root: Option<RootCertificate>,
}

impl Host for InstanceState {}

/// Refuses addresses that the manifest does not allow; each host of the address must be allowed.
fn check_address(allowed: &AllowedHosts, address: &str) -> Result<(), Error> {
    let config: tokio_postgres::Config =
        address.parse().map_err(|e: tokio_postgres::Error| Error::ConnectionFailed(e.to_string()))?;
    let ports = config.get_ports();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let tokio_postgres::config::Host::Tcp(host) = host else {
            return Err(Error::ConnectionFailed("Unix sockets are not supported on WebAssembly".to_owned()));
        };
        let port = if ports.len() == 1 { ports.first() } else { ports.get(index) };
        let url = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        if !allowed.allows(&url, "postgres") {
            return Err(Error::ConnectionFailed(format!("address postgres://{url} is not permitted")));
        }
    }
    Ok(())
}

/// What opening a connection needs of the store.
fn opening(state: &InstanceState) -> (std::sync::Arc<crate::manifest::Component>, std::sync::Arc<Pools>) {
    (state.component.clone(), state.postgres.clone())
}

async fn open(
    (component, pools): (std::sync::Arc<crate::manifest::Component>, std::sync::Arc<Pools>),
    address: &str,
    root: Option<RootCertificate>,
) -> Result<Connection, Error> {
    check_address(&component.allowed_hosts, address)?;
    let client = pools.client(&component.id, address, root).await;
    client.map(Connection).map_err(|e| Error::ConnectionFailed(error::with_causes(&e)))
}

impl InstanceState {
    fn push_connection(&mut self, connection: Connection) -> Result<Resource<Connection>, Error> {
        self.table.push(connection).map_err(|_| Error::ConnectionFailed("too many connections".into()))
    }

    fn postgres_client(&self, connection: &Resource<Connection>) -> Result<Client, Error> {
        let open = self.table.get(connection).map(|open| open.0.clone());
        open.map_err(|_| Error::ConnectionFailed("no connection found".into()))
    }

    fn builder_parts(&self, builder: &Resource<ConnectionBuilder>) -> Result<(String, Option<RootCertificate>), Error> {
        let found = self.table.get(builder).map(|builder| (builder.address.clone(), builder.root.clone()));
        found.map_err(|_| Error::ConnectionFailed("no builder found".into()))
    }
}

impl HostConnection for InstanceState {
    async fn open(&mut self, address: String) -> Result<Resource<Connection>, Error> {
        let connection = open(opening(self), &address, None).await?;
        self.push_connection(connection)
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<RowSet, Error> {
        rows::all(&self.postgres_client(&connection)?, &statement, params).await
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        execute(&self.postgres_client(&connection)?, &statement, params).await
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Platform {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let connection = open(accessor.with(|mut access| opening(access.get())), &address, None).await?;
        accessor.with(|mut access| access.get().push_connection(connection))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<(Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>), Error> {
        let client = accessor.with(|mut access| access.get().postgres_client(&connection))?;
        let (columns, producer, result) = rows::stream(&client, &statement, params).await?;
        let readers = accessor.with(|mut access| -> wasmtime::Result<_> {
            Ok((StreamReader::new(&mut access, producer)?, FutureReader::new(&mut access, result)?))
        });
        let (rows, result) = readers.map_err(|e| Error::Other(e.to_string()))?;
        Ok((columns, rows, result))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let client = accessor.with(|mut access| access.get().postgres_client(&connection))?;
        execute(&client, &statement, params).await
    }
}

async fn execute(client: &Client, statement: &str, params: Vec<ParameterValue>) -> Result<u64, Error> {
    let params = parameter::to_sql(&params).map_err(|e| Error::ValueConversionFailed(error::with_causes(&e)))?;
    client.execute_raw(statement, params).await.map_err(error::query_failed)
}

impl HostConnectionBuilder for InstanceState {
    async fn new(&mut self, address: String) -> Resource<ConnectionBuilder> {
        let builder = ConnectionBuilder { address, root: None };
        self.table.push(builder).expect("the table holds as many resources as there are handles")
    }

    async fn set_ca_root(&mut self, builder: Resource<ConnectionBuilder>, certificate: String) -> Result<(), Error> {
        let root = RootCertificate::from_pem(&certificate).context("invalid root certificate");
        let root = root.map_err(|e| Error::Other(format!("invalid root certificate: {e}")))?;
        let builder = self.table.get_mut(&builder);
        builder.map_err(|_| Error::ConnectionFailed("no builder found".into()))?.root = Some(root);
        Ok(())
    }

    async fn build(&mut self, builder: Resource<ConnectionBuilder>) -> Result<Resource<Connection>, Error> {
        let (address, root) = self.builder_parts(&builder)?;
        let connection = open(opening(self), &address, root).await?;
        self.push_connection(connection)
    }

    async fn drop(&mut self, builder: Resource<ConnectionBuilder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionBuilderWithStore<T> for Platform {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<ConnectionBuilder>,
    ) -> Result<Resource<Connection>, Error> {
        let (opening, parts) = accessor.with(|mut access| {
            let state = access.get();
            (opening(state), state.builder_parts(&builder))
        });
        let (address, root) = parts?;
        let connection = open(opening, &address, root).await?;
        accessor.with(|mut access| access.get().push_connection(connection))
    }
}

/// Says that a result is larger than the host holds.
fn too_large() -> anyhow::Error {
    anyhow::anyhow!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes")
}
