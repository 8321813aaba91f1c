//! PostgreSQL over Spin's host interface: one statement per call, on a connection from the host's pool.
//!
//! A call first waits for a connection: until one of the host's pool is free, and while the server refuses more
//! connections. Nothing is sent before that, so a call that gives up has changed nothing.

mod address;
mod error;
mod ssl_mode;

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use http_api::Versions;
use ports::Runtime;
use spin_sdk::pg::{Connection, DbValue, Decode, ParameterValue};

pub use address::{CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_MS};
pub use error::DatabaseError;

use crate::runtime::SpinRuntime;

/// How long a call waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_millis(5_000);

/// How long a call on a connection may take: the statement, and a second for the network.
const DEADLINE: Duration = Duration::from_millis(STATEMENT_TIMEOUT_MS + 1000);

/// The first and the longest pause after the server has refused a connection, before jitter. The longest is short
/// compared with the wait: the connections that others have are free again within milliseconds.
const PAUSE_MS: u64 = 16;
const PAUSE_MAX_MS: u64 = 256;

/// Rows that are read from the host at once, at most.
const ROWS_AT_ONCE: usize = 256;

/// Why a call has no connection after [`CONNECTION_WAIT`].
const NO_CONNECTION: &str = "no connection in time: all connections of the pool are in use, or the server refuses more";

/// A PostgreSQL database.
pub struct Database {
    address: String,
}

/// One row of a result: values by their positions.
#[derive(Debug)]
pub struct Row(Vec<DbValue>);

impl Row {
    /// The value at `index`, from 0.
    ///
    /// # Errors
    /// [`DatabaseError::Other`] if there is no such column, or its value is not a `T`.
    pub fn get<T: Decode>(&self, index: usize) -> Result<T, DatabaseError> {
        let value = self.0.get(index).ok_or_else(|| DatabaseError::Other(format!("the row has no column {index}")))?;
        T::decode(value).map_err(|error| DatabaseError::Other(format!("column {index}: {error}")))
    }
}

impl Row {
    /// Reads the values one after the other, from `index` on.
    pub fn columns(&self, index: usize) -> Columns<'_> {
        Columns { row: self, index }
    }
}

/// The values of a row that are not yet read.
#[derive(Debug)]
pub struct Columns<'a> {
    row: &'a Row,
    index: usize,
}

impl Columns<'_> {
    /// The next value.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn take<T: Decode>(&mut self) -> Result<T, DatabaseError> {
        let value = self.row.get(self.index);
        self.index += 1;
        value
    }
}

/// The versions in which a change may happen as two parameters, for
/// `($1::bigint[] IS NULL OR version = ANY ($1)) AND version <> ALL ($2::bigint[])`.
pub fn versions(Versions { only, except }: &Versions) -> [ParameterValue; 2] {
    let array = |list: &Vec<i64>| ParameterValue::ArrayInt64(list.iter().copied().map(Some).collect());
    [only.as_ref().map_or(ParameterValue::DbNull, array), array(except)]
}

/// The value, or NULL, as a parameter.
pub fn nullable<T: Into<ParameterValue>>(value: Option<T>) -> ParameterValue {
    value.map_or(ParameterValue::DbNull, Into::into)
}

impl Database {
    /// The database at `address`, a URL (`postgres://…`) or a list of `key=value`. [`CONNECT_TIMEOUT_S`] and
    /// [`STATEMENT_TIMEOUT_MS`] hold unless the address sets others. Does not connect yet.
    pub fn new(address: &str) -> Self {
        Self { address: address::with_time_limits(address) }
    }

    /// Runs one statement and returns its rows. It is never repeated: if the connection breaks, the caller decides
    /// whether the statement took effect.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub async fn query(&self, sql: &str, parameters: Vec<ParameterValue>) -> Result<Vec<Row>, DatabaseError> {
        let connection = within(CONNECTION_WAIT, self.connect())
            .await
            .unwrap_or_else(|| Err(DatabaseError::Unavailable(NO_CONNECTION.to_owned())))?;
        within(DEADLINE, run(&connection, sql, parameters)).await.unwrap_or(Err(DatabaseError::Overdue(DEADLINE)))
    }

    /// Runs a statement that may run twice without harm: a SELECT, or a `nextval` (a lost id leaves a gap). It runs a
    /// second time if the connection is broken, because after a restart of the server the pool may still have old
    /// connections. So it may take twice as long as [`Database::query`].
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub async fn read(&self, sql: &str, parameters: Vec<ParameterValue>) -> Result<Vec<Row>, DatabaseError> {
        match self.query(sql, parameters.clone()).await {
            Err(DatabaseError::ConnectionLost(_)) => self.query(sql, parameters).await,
            outcome => outcome,
        }
    }

    /// A connection from the host's pool. While the server refuses more connections, it tries again: one of those that
    /// are open returns to the pool soon, or another program closes one.
    async fn connect(&self) -> Result<Connection, DatabaseError> {
        let mut pause_ms = PAUSE_MS;
        loop {
            match Connection::open(self.address.as_str()).await.map_err(DatabaseError::opening) {
                Err(error) if error.is_refused_connection() => SpinRuntime.sleep(jittered(pause_ms)).await,
                outcome => return outcome,
            }
            pause_ms = (2 * pause_ms).min(PAUSE_MAX_MS);
        }
    }
}

/// The result of `work`. After `limit`, `work` is dropped, and the result is `None`.
async fn within<V>(limit: Duration, work: impl Future<Output = V>) -> Option<V> {
    match select(pin!(work), pin!(spin_sdk::time::sleep(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// Between half of `ms` and `ms`, so that those who wait do not all try at the same time.
fn jittered(ms: u64) -> u64 {
    ms / 2 + fastrand::u64(..=ms / 2)
}

async fn run(connection: &Connection, sql: &str, parameters: Vec<ParameterValue>) -> Result<Vec<Row>, DatabaseError> {
    let result = connection.query(sql, parameters).await.map_err(DatabaseError::running)?;
    let (_, mut stream, end) = result.into_inner();
    let mut rows = Vec::new();
    loop {
        let (status, chunk) = stream.read(Vec::with_capacity(ROWS_AT_ONCE)).await;
        rows.extend(chunk.into_iter().map(Row));
        if status == spin_sdk::wit_bindgen::StreamResult::Dropped {
            break;
        }
    }
    end.await.map_err(|error| DatabaseError::running(error.into()))?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_type_is_an_error() {
        let row = Row(vec![DbValue::Int64(7), DbValue::DbNull]);
        assert_eq!(row.get::<i64>(0), Ok(7));
        assert_eq!(row.get::<Option<i64>>(1), Ok(None));
        assert!(matches!(row.get::<i64>(1), Err(DatabaseError::Other(_))));
        assert!(matches!(row.get::<String>(0), Err(DatabaseError::Other(_))));
        assert!(matches!(row.get::<i64>(2), Err(DatabaseError::Other(_))));
        let mut columns = row.columns(0);
        assert_eq!((columns.take::<i64>(), columns.take::<Option<i64>>()), (Ok(7), Ok(None)));
        assert!(columns.take::<Option<i64>>().is_err());
    }
}
