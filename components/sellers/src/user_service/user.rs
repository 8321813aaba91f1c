//! A user as the users service describes it: the whole document, or its member `data`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The members of a user that this service needs. Others are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The identity.
    pub id: i64,
    /// The name, if the service has names.
    #[serde(default)]
    pub name: Option<String>,
    /// The email address, if the service has them.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the user is active.
    pub is_active: bool,
}

#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

impl User {
    /// The user in a response.
    pub fn of_response(json: &[u8]) -> Option<Self> {
        bare_or_wrapped(json)
    }

    /// The users in a response.
    pub fn list_of_response(json: &[u8]) -> Option<Vec<Self>> {
        bare_or_wrapped(json)
    }
}

fn bare_or_wrapped<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let bare = serde_json::from_slice(json).ok();
    bare.or_else(|| serde_json::from_slice(json).ok().map(|Wrapped { data }| data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_bare_or_wrapped() {
        let bare = br#"{"id":7,"name":"Ada","email":"a@b.co","roles":["user"],"isActive":true}"#;
        let user = User::of_response(bare).unwrap();
        assert_eq!((user.id, user.name.as_deref(), user.is_active), (7, Some("Ada"), true));
        let wrapped = br#"{"data":{"id":7,"isActive":false},"success":true}"#;
        assert_eq!(User::of_response(wrapped), Some(User { id: 7, name: None, email: None, is_active: false }));
        assert_eq!(User::list_of_response(br#"{"data":[]}"#), Some(vec![]));
        for other in [&b""[..], b"null", b"[]", b"{}", br#"{"id":7}"#, br#"{"id":"7","isActive":true}"#, b"<html>"] {
            assert_eq!(User::of_response(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
