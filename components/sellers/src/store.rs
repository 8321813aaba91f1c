//! The SQL of sellers: one statement per operation, values only as parameters.

mod analytics;
mod changes;
mod reads;
mod sales;

use http_api::IfMatch;
use spin_adapter::postgres::{Database, DatabaseError, Row};
use spin_sdk::pg::ParameterValue;
use versioned_cache::StatementError;

use crate::seller::Seller;

pub use changes::Edit;
pub use reads::{HistoryRow, Page};
pub use sales::{RefundOutcome, SaleOutcome};

/// Why a statement did not change a seller.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The seller does not exist.
    NotFound,
    /// The seller exists in another version.
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

    /// Runs a statement made by `change_statement!`.
    async fn change(&self, sql: &str, parameters: Vec<ParameterValue>, only: &IfMatch) -> Result<Seller, StoreError> {
        let rows = self.database.query(sql, parameters).await?;
        let Some(row) = rows.first() else { return Err(StoreError::NotFound) };
        let mut columns = row.columns(0);
        let changed: bool = columns.take()?;
        let seller = Seller::from_columns(&mut columns)?;
        match only {
            _ if changed => Ok(seller),
            IfMatch::Versions(versions) if !versions.contains(&seller.version) => Err(StoreError::VersionMismatch),
            _ => Err(StoreError::Refused(Box::new(seller))),
        }
    }
}

/// The statement that changes the seller `$1` if it has one of the versions `$2` (NULL: any) and `only_if` is true for the
/// columns of `sellers`. `before` locks the row first, and waits for other changes: so `only_if` sees the current state, and
/// `before` is the state from which `changed` came, for `then`. The result is one row: whether the seller was changed, and
/// the seller as it is now. No row: there is no such seller.
macro_rules! change_statement {
    (set: $set:expr, only_if: $condition:expr, then: $then:expr) => {
        concat!(
            "WITH before AS MATERIALIZED (SELECT * FROM sellers WHERE id = $1 AND archived_at IS NULL FOR UPDATE), \
             changed AS (UPDATE sellers SET ",
            $set,
            ", updated_at = now(), version = sellers.version + 1 FROM before \
             WHERE sellers.id = before.id AND ($2::int[] IS NULL OR sellers.version = ANY ($2)) AND ",
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
