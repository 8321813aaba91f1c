//! A user as the API shows it.

use http_api::response::{rfc3339, to_json};
use serde::Serialize;
use spin_adapter::postgres::{DatabaseError, Row};

/// A user that is not archived. The members have the order of the JSON; `version` comes last, where
/// `ETag::of_last_version` finds it without parsing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The identity: greater than 0.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The email address, as it was given.
    pub email: String,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether the user is active.
    pub is_active: bool,
    /// When the user was created, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: i64,
    /// When the user was last changed, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: i64,
    /// Always null: archived users are not visible.
    pub archived_at: (),
    /// 1; each change adds 1.
    pub version: i32,
}

/// The columns that [`User::from_row`] reads, in this order. Times are numbers, because the host does not support
/// `timestamptz`.
macro_rules! columns {
    () => {
        "id, name, email, roles, is_active, (extract(epoch FROM created_at) * 1000)::bigint AS created_ms, \
         (extract(epoch FROM updated_at) * 1000)::bigint AS updated_ms, version"
    };
}
pub(crate) use columns;

impl User {
    /// Reads the columns of [`columns!`], starting at column `offset`.
    ///
    /// # Errors
    /// [`DatabaseError::Other`] if the row has other columns.
    pub fn from_row(row: &Row, offset: usize) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(offset)?,
            name: row.get(offset + 1)?,
            email: row.get(offset + 2)?,
            roles: row.get::<Vec<Option<String>>>(offset + 3)?.into_iter().flatten().collect(),
            is_active: row.get(offset + 4)?,
            created_at: row.get(offset + 5)?,
            updated_at: row.get(offset + 6)?,
            archived_at: (),
            version: row.get(offset + 7)?,
        })
    }

    /// The JSON of this user, without insignificant white space.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_members_in_order() {
        let user = User {
            id: 42,
            name: "Zoë \"Z\"".to_owned(),
            email: "z@example.org".to_owned(),
            roles: vec!["user".to_owned()],
            is_active: true,
            created_at: 1_767_225_600_000,
            updated_at: 1_767_225_600_120,
            archived_at: (),
            version: 3,
        };
        assert_eq!(
            String::from_utf8(user.to_json()).unwrap(),
            concat!(
                r#"{"id":42,"name":"Zoë \"Z\"","email":"z@example.org","roles":["user"],"isActive":true,"#,
                r#""createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.120Z","archivedAt":null,"#,
                r#""version":3}"#
            )
        );
    }
}
