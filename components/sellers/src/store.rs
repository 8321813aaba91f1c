//! The SQL of sellers: one statement per operation, values only as parameters.

mod analytics;
mod changes;
mod reads;
mod sales;

use http_api::Versions;
use spin_adapter::postgres::{Database, DatabaseError, Row, versions};
use spin_sdk::pg::ParameterValue;
use versioned_cache::StatementError;

use crate::seller::Seller;

pub use changes::WhileSuspended;
pub use reads::{HistoryRow, Page};
pub use sales::{RefundOutcome, SaleOutcome};

/// Why a statement did not change a seller.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The seller does not exist.
    NotFound,
    /// The seller exists in a version that the conditions of the request do not allow.
    VersionMismatch,
    /// The seller, as it is now, does not allow the change.
    Refused(Box<Seller>),
    /// The user is a seller already.
    AlreadySeller,
    /// The database failed.
    Database(DatabaseError),
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl StatementError for StoreError {
    fn may_still_commit(&self) -> bool {
        matches!(self, Self::Database(error) if error.may_still_commit())
    }
}

/// The tables of sellers.
pub struct Store {
    database: Database,
}

impl Store {
    /// The tables in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Runs a statement made by `change_statement!`. `others`: its parameters from `$4` on.
    async fn change(
        &self,
        sql: &str,
        id: i64,
        only: &Versions,
        others: Vec<ParameterValue>,
    ) -> Result<Seller, StoreError> {
        let [accepted, refused] = versions(only);
        let parameters = [id.into(), accepted, refused].into_iter().chain(others).collect();
        let rows = self.database.query(sql, parameters).await?;
        let Some(row) = rows.first() else { return Err(StoreError::NotFound) };
        let mut columns = row.columns(0);
        let changed: bool = columns.take()?;
        let seller = Seller::from_columns(&mut columns)?;
        match seller.version {
            _ if changed => Ok(seller),
            version if !only.allow(version) => Err(StoreError::VersionMismatch),
            _ => Err(StoreError::Refused(Box::new(seller))),
        }
    }
}

/// The statement that changes the seller `$1`. `set`: the assignments. `only_if`: the condition for the change. `then`:
/// more CTEs, each with a leading comma, or nothing. `$2`: the accepted versions (NULL: any). `$3`: the refused ones.
/// The result is one row: whether the seller was changed, and the seller as it is now. No row: there is no such seller.
///
/// `locked` waits for concurrent changes and returns the newest version; `before` adds the time after this wait.
/// `only_if` and `then` must read `before` and not `sellers`: the snapshot of `sellers` is older than the wait. `set`
/// may read both, because PostgreSQL applies an UPDATE to the newest version.
macro_rules! change_statement {
    (set: $set:expr, only_if: $condition:expr, then: $then:expr) => {
        concat!(
            "WITH locked AS MATERIALIZED (SELECT * FROM sellers WHERE id = $1 AND archived_at IS NULL FOR UPDATE), \
             before AS MATERIALIZED (SELECT locked.*, clock_timestamp() AS time FROM locked), \
             changed AS (UPDATE sellers SET ",
            $set,
            ", updated_at = before.time, version = sellers.version + 1 FROM before \
             WHERE sellers.id = before.id AND ($2::bigint[] IS NULL OR before.version = ANY ($2)) \
             AND before.version <> ALL ($3::bigint[]) AND ",
            $condition,
            " RETURNING sellers.*)",
            $then,
            " SELECT true AS changed, ",
            $crate::seller::columns!(),
            " FROM changed UNION ALL SELECT false, ",
            $crate::seller::columns!(),
            " FROM before WHERE NOT EXISTS (SELECT FROM changed)"
        )
    };
}
use change_statement;

fn sellers(rows: &[Row]) -> Result<Vec<Seller>, DatabaseError> {
    rows.iter().map(|row| Seller::from_columns(&mut row.columns(0))).collect()
}
