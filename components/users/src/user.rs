//! A user as the API shows it.

use chrono::{DateTime, SecondsFormat};
use serde::{Serialize, Serializer};
use spin_adapter::database::{DatabaseError, Row};

/// A user who is not archived. The order of the members is that of the JSON; `version` comes last, where
/// [`EntityTag::of_user`](crate::entity_tag::EntityTag::of_user) finds it without parsing.
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
    /// When the user was changed last, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: i64,
    /// Always null: archived users are not shown.
    pub archived_at: (),
    /// 1, and one more after each change.
    pub version: i32,
}

/// The columns that [`User::from_row`] reads, in their order. Times as numbers: the host gives no `timestamptz`.
macro_rules! columns {
    () => {
        "id, name, email, roles, is_active, (extract(epoch FROM created_at) * 1000)::bigint AS created_ms, \
         (extract(epoch FROM updated_at) * 1000)::bigint AS updated_ms, version"
    };
}
pub(crate) use columns;

impl User {
    /// Reads the columns of [`columns!`], the first of which is at `offset`.
    ///
    /// # Errors
    /// [`DatabaseError::Other`] when the row has other columns.
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
        serde_json::to_vec(self).expect("strings, numbers and lists of them always serialize")
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`.
fn rfc3339<S: Serializer>(unix_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::from_timestamp_millis(*unix_ms)
        .ok_or_else(|| serde::ser::Error::custom("a time out of the range of years that can be written"))?;
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
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
