//! `spin:postgres@4.2.0`, on the worker's connection pools.

#![expect(clippy::result_large_err, reason = "the interface's error has all fields of the database's")]

mod column;
mod convert;
mod error;
mod parameter;
mod rows;
mod value_types;

use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::postgres::postgres::{
    Column, Error, Host, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use super::clients::postgres::{Client, ConnectionSettings, Pools, RootCertificate};
use super::state::{Spin, SpinState};
use crate::manifest::{AllowedHosts, Component};

impl Host for SpinState {}

/// Refuses an address unless each of its hosts is allowed.
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

/// Opens connections. It is copied out of the store, which cannot be held while waiting.
struct Opener {
    component: Arc<Component>,
    pools: Arc<Pools>,
}

impl Opener {
    async fn open(&self, address: &str, root: Option<RootCertificate>) -> Result<Client, Error> {
        check_address(&self.component.allowed_hosts, address)?;
        let client = self.pools.client(&self.component.id, address, root).await;
        client.map_err(|e| Error::ConnectionFailed(error::with_causes(&e)))
    }
}

impl SpinState {
    fn opener(&self) -> Opener {
        Opener { component: self.component.clone(), pools: self.postgres.clone() }
    }

    fn push_client(&mut self, client: Client) -> Result<Resource<Client>, Error> {
        self.table.push(client).map_err(|_| Error::ConnectionFailed("too many connections".into()))
    }

    fn client(&self, connection: &Resource<Client>) -> Result<Client, Error> {
        self.table.get(connection).cloned().map_err(|_| Error::ConnectionFailed("no connection found".into()))
    }

    fn settings(&self, builder: &Resource<ConnectionSettings>) -> Result<ConnectionSettings, Error> {
        self.table.get(builder).cloned().map_err(|_| Error::ConnectionFailed("no builder found".into()))
    }
}

impl HostConnection for SpinState {
    async fn open(&mut self, address: String) -> Result<Resource<Client>, Error> {
        let client = self.opener().open(&address, None).await?;
        self.push_client(client)
    }

    async fn query(
        &mut self,
        connection: Resource<Client>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<RowSet, Error> {
        rows::all(&self.client(&connection)?, &statement, params).await
    }

    async fn execute(
        &mut self,
        connection: Resource<Client>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        execute(&self.client(&connection)?, &statement, params).await
    }

    async fn drop(&mut self, connection: Resource<Client>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Spin {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<Client>, Error> {
        let opener = accessor.with(|mut access| access.get().opener());
        let client = opener.open(&address, None).await?;
        accessor.with(|mut access| access.get().push_client(client))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Client>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<(Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>), Error> {
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
        connection: Resource<Client>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let client = accessor.with(|mut access| access.get().client(&connection))?;
        execute(&client, &statement, params).await
    }
}

async fn execute(client: &Client, statement: &str, params: Vec<ParameterValue>) -> Result<u64, Error> {
    let params = parameter::to_sql(&params).map_err(|e| Error::ValueConversionFailed(error::with_causes(&e)))?;
    client.execute_raw(statement, params).await.map_err(error::query_failed)
}

impl HostConnectionBuilder for SpinState {
    async fn new(&mut self, address: String) -> Resource<ConnectionSettings> {
        let settings = ConnectionSettings { address, root: None };
        self.table.push(settings).expect("the table holds as many resources as there are handles")
    }

    async fn set_ca_root(&mut self, builder: Resource<ConnectionSettings>, certificate: String) -> Result<(), Error> {
        let root = RootCertificate::from_pem(&certificate).context("invalid root certificate");
        let root = root.map_err(|e| Error::Other(format!("invalid root certificate: {e}")))?;
        let builder = self.table.get_mut(&builder);
        builder.map_err(|_| Error::ConnectionFailed("no builder found".into()))?.root = Some(root);
        Ok(())
    }

    async fn build(&mut self, builder: Resource<ConnectionSettings>) -> Result<Resource<Client>, Error> {
        let settings = self.settings(&builder)?;
        let client = self.opener().open(&settings.address, settings.root).await?;
        self.push_client(client)
    }

    async fn drop(&mut self, builder: Resource<ConnectionSettings>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionBuilderWithStore<T> for Spin {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<ConnectionSettings>,
    ) -> Result<Resource<Client>, Error> {
        let (opener, settings) = accessor.with(|mut access| {
            let state = access.get();
            (state.opener(), state.settings(&builder))
        });
        let settings = settings?;
        let client = opener.open(&settings.address, settings.root).await?;
        accessor.with(|mut access| access.get().push_client(client))
    }
}
