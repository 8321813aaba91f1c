//! The SQL of users: one statement per operation, values only as parameters.

use http_api::Versions;
use http_api::response::{PAGE_MAX_BYTES, to_json};
use serde::Serialize;
use spin_adapter::postgres::{Database, DatabaseError, Row, nullable, versions};
use spin_sdk::pg::ParameterValue;
use versioned_cache::StatementError;

use crate::input::{Changes, NewUser};
use crate::page::PageQuery;
use crate::user::{User, columns};

/// The unique index on the addresses of users that are not archived.
const EMAIL_INDEX: &str = "users_email_key";

/// Why a statement did not change users.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The user does not exist.
    NotFound,
    /// The user exists in a version that the conditions of the request do not allow.
    VersionMismatch,
    /// An address belongs to another user.
    EmailTaken,
    /// The database failed.
    Database(DatabaseError),
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::UniqueViolation { constraint } if constraint == EMAIL_INDEX => Self::EmailTaken,
            other => Self::Database(other),
        }
    }
}

impl StatementError for StoreError {
    fn may_still_commit(&self) -> bool {
        matches!(self, Self::Database(error) if error.may_still_commit())
    }
}

/// The table `users`.
pub struct Store {
    database: Database,
}

impl Store {
    /// The table in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// One user.
    ///
    /// # Errors
    /// Those of the database, as for all methods.
    pub async fn find(&self, id: i64) -> Result<Option<User>, DatabaseError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM users WHERE id = $1 AND archived_at IS NULL");
        let rows = self.database.read(SQL, vec![id.into()]).await?;
        rows.first().map(|row| User::from_row(row, 0)).transpose()
    }

    /// Those of `ids` that exist, by id.
    pub async fn find_many(&self, ids: impl Iterator<Item = i64>) -> Result<Vec<User>, DatabaseError> {
        const SQL: &str =
            concat!("SELECT ", columns!(), " FROM users WHERE id = ANY ($1) AND archived_at IS NULL ORDER BY id");
        let ids = ParameterValue::ArrayInt64(ids.map(Some).collect());
        users(&self.database.read(SQL, vec![ids]).await?)
    }

    /// A page of the list and, if there is one, the first user of the next page. Users that would make the page larger
    /// than [`PAGE_MAX_BYTES`] are not read, except for the first of them: the text of a user's columns is never longer
    /// than its JSON.
    pub async fn page(&self, query: &PageQuery) -> Result<Vec<User>, DatabaseError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT *, sum(octet_length(name) + octet_length(email) + octet_length(roles::text)) \
             OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before \
             FROM (SELECT * FROM users WHERE archived_at IS NULL AND id > $1 \
             AND ($2::text IS NULL OR lower(email) = $2) AND ($3::boolean IS NULL OR is_active = $3) ORDER BY id LIMIT $4) AS page) AS measured \
             WHERE bytes_before IS NULL OR bytes_before <= $5 ORDER BY id"
        );
        let parameters = vec![
            query.after.unwrap_or(0).into(),
            nullable(query.email.clone()),
            nullable(query.is_active),
            (query.limit as i64 + 1).into(),
            (PAGE_MAX_BYTES as i64).into(),
        ];
        users(&self.database.read(SQL, parameters).await?)
    }

    /// Draws `count` ids for new users, ascending. Ids that are not used leave gaps.
    pub async fn draw_ids(&self, count: usize) -> Result<Vec<i64>, DatabaseError> {
        const SQL: &str = "SELECT nextval(pg_get_serial_sequence('users', 'id')) FROM generate_series(1, $1::bigint)";
        let rows = self.database.read(SQL, vec![(count as i64).into()]).await?;
        let mut ids = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Creates all of `new` with these ids, or none; returns them in that order.
    pub async fn insert(&self, ids: &[i64], new: &[NewUser]) -> Result<Vec<User>, StoreError> {
        const SQL: &str = concat!(
            "WITH created AS (INSERT INTO users (id, name, email, roles, is_active) \
             SELECT id, name, email, roles, is_active FROM jsonb_to_recordset($1::jsonb) \
             AS new (id bigint, name text, email text, roles text[], is_active boolean) RETURNING *) SELECT ",
            columns!(),
            " FROM created ORDER BY id"
        );
        let records: Vec<_> = ids.iter().zip(new).map(|(id, user)| Record { id: *id, user }).collect();
        Ok(users(&self.database.query(SQL, vec![ParameterValue::Jsonb(to_json(&records))]).await?)?)
    }

    /// Which of the addresses (in lower case) belong to users already.
    pub async fn taken(&self, emails: Vec<String>) -> Result<Vec<String>, DatabaseError> {
        const SQL: &str = "SELECT lower(email) FROM users WHERE archived_at IS NULL AND lower(email) = ANY ($1)";
        let emails = ParameterValue::ArrayStr(emails.into_iter().map(Some).collect());
        self.database.read(SQL, vec![emails]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Changes the given members of one user and returns the user.
    pub async fn update(&self, id: i64, changes: &Changes, only: &Versions) -> Result<User, StoreError> {
        const SQL: &str = concat!(
            "WITH changed AS (UPDATE users SET name = COALESCE($4::text, name), email = COALESCE($5::text, email), \
             roles = COALESCE($6::text[], roles), is_active = COALESCE($7::boolean, is_active), \
             updated_at = now(), version = version + 1 \
             WHERE id = $1 AND archived_at IS NULL AND ($2::bigint[] IS NULL OR version = ANY ($2)) \
             AND version <> ALL ($3::bigint[]) RETURNING *) \
             SELECT EXISTS (SELECT FROM users WHERE id = $1 AND archived_at IS NULL) AS existed, changed.* \
             FROM (VALUES (1)) AS once (row) LEFT JOIN (SELECT ",
            columns!(),
            " FROM changed) AS changed ON true"
        );
        let [accepted, refused] = versions(only);
        let parameters = vec![
            id.into(),
            accepted,
            refused,
            nullable(changes.name.clone()),
            nullable(changes.email.clone()),
            changes.roles.clone().map_or(ParameterValue::DbNull, |roles| {
                ParameterValue::ArrayStr(roles.into_iter().map(Some).collect())
            }),
            nullable(changes.is_active),
        ];
        let rows = self.database.query(SQL, parameters).await?;
        Ok(User::from_row(changed(&rows, only)?, 1)?)
    }

    /// Archives one user, and returns its last version.
    pub async fn archive(&self, id: i64, only: &Versions) -> Result<i32, StoreError> {
        const SQL: &str = "WITH changed AS (UPDATE users SET archived_at = now(), updated_at = now(), \
             version = version + 1 \
             WHERE id = $1 AND archived_at IS NULL AND ($2::bigint[] IS NULL OR version = ANY ($2)) \
             AND version <> ALL ($3::bigint[]) RETURNING id, version) \
             SELECT EXISTS (SELECT FROM users WHERE id = $1 AND archived_at IS NULL) AS existed, changed.* \
             FROM (VALUES (1)) AS once (row) LEFT JOIN changed ON true";
        let [accepted, refused] = versions(only);
        let rows = self.database.query(SQL, vec![id.into(), accepted, refused]).await?;
        Ok(changed(&rows, only)?.get(2)?)
    }
}

/// An element of the parameter of `insert`.
#[derive(Serialize)]
struct Record<'a> {
    id: i64,
    #[serde(flatten)]
    user: &'a NewUser,
}

fn users(rows: &[Row]) -> Result<Vec<User>, DatabaseError> {
    rows.iter().map(|row| User::from_row(row, 0)).collect()
}

/// The row that the statement changed; its columns start at 1. Column 0 is true if the user existed when the statement
/// began. If the user existed and was not changed, its version was not allowed. Or, if the statement has no condition
/// on the version, another request archived the user while the statement waited for the row.
fn changed<'a>(rows: &'a [Row], only: &Versions) -> Result<&'a Row, StoreError> {
    let row = rows.first().ok_or_else(|| DatabaseError::Other("the statement returned no row".to_owned()))?;
    if row.get::<Option<i64>>(1)?.is_some() {
        return Ok(row);
    }
    let existed: bool = row.get(0)?;
    if existed && *only != Versions::ANY { Err(StoreError::VersionMismatch) } else { Err(StoreError::NotFound) }
}
