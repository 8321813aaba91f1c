//! The bodies of requests: a new user, a batch of new users, changes.

use http_api::rules::email as email_rule;
use http_api::{Errors, FromJson, Object, present};
use serde::{Deserialize, Serialize};

use crate::rules;

/// New users in one batch, at most.
pub const BATCH_MAX: usize = 1_000;
/// Bytes of a body about one user, at most.
const USER_MAX_BYTES: usize = 64 * 1024;

/// The members of a user in a body.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Members {
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    email: Option<String>,
    #[serde(deserialize_with = "present")]
    roles: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    is_active: Option<bool>,
}

/// A valid user to be created, also the body of `POST /users`.
///
/// Serialized as a row of the table: the members are the columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The email address, as given.
    pub email: String,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether the user is active.
    pub is_active: bool,
}

impl FromJson for NewUser {
    type Raw = Object<Members>;
    const MAX_BYTES: usize = USER_MAX_BYTES;

    fn check(Object(user): Object<Members>, errors: &mut Errors) -> Option<Self> {
        let email = errors.required("/email", user.email, email_rule);
        let name = errors.required("/name", user.name, rules::name);
        let roles = errors.optional("/roles", user.roles, rules::roles);
        Some(Self {
            name: name?,
            email: email?,
            roles: roles.unwrap_or_else(|| vec!["user".to_owned()]),
            is_active: user.is_active.unwrap_or(true),
        })
    }
}

/// The body of `POST /users/batch`: 1 to 1000 users.
#[derive(Debug)]
pub struct NewUsers(pub Vec<NewUser>);

impl FromJson for NewUsers {
    type Raw = Vec<Object<Members>>;
    /// A thousand users of about a kilobyte.
    const MAX_BYTES: usize = 1024 * 1024;

    fn check(users: Vec<Object<Members>>, errors: &mut Errors) -> Option<Self> {
        if users.is_empty() || users.len() > BATCH_MAX {
            errors.add("", format!("must have 1 to {BATCH_MAX} elements"));
            return None;
        }
        errors.each("", users, |errors, user| NewUser::check(user, errors)).map(Self)
    }
}

/// The body of `PUT` and `PATCH /users/:id`: members that are absent stay as they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// The new name.
    pub name: Option<String>,
    /// The new email address.
    pub email: Option<String>,
    /// The new roles, all of them.
    pub roles: Option<Vec<String>>,
    /// Whether the user will be active.
    pub is_active: Option<bool>,
}

impl FromJson for Changes {
    type Raw = Object<Members>;
    const MAX_BYTES: usize = USER_MAX_BYTES;

    fn check(Object(user): Object<Members>, errors: &mut Errors) -> Option<Self> {
        let Members { name, email, roles, is_active } = user;
        if name.is_none() && email.is_none() && roles.is_none() && is_active.is_none() {
            errors.add("", "must have at least one of name, email, roles and isActive");
        }
        let email = errors.optional("/email", email, email_rule);
        let name = errors.optional("/name", name, rules::name);
        let roles = errors.optional("/roles", roles, rules::roles);
        Some(Self { name, email, roles, is_active })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_api::FieldError;

    #[test]
    fn defaults_are_filled_in() {
        let user = NewUser::from_json(br#"{"name": "Ada", "email": "Ada@example.org"}"#).unwrap();
        let roles = vec!["user".to_owned()];
        assert_eq!(user, NewUser { name: "Ada".into(), email: "Ada@example.org".into(), roles, is_active: true });
    }

    #[test]
    fn errors_of_a_batch_carry_the_index() {
        let batch = br#"[{"name": "Ada", "email": "a@b.co"}, {"name": "A", "email": "a"}, {}]"#;
        let problem = NewUsers::from_json(batch).unwrap_err();
        assert_eq!(problem.wrong_fields(), ["/1/email", "/1/name", "/2/email", "/2/name"]);
        assert_eq!(problem.errors()[2], FieldError::at("/2/email", "is missing"));
    }

    #[test]
    fn a_batch_has_one_to_a_thousand_elements() {
        let batch = |count| format!("[{}]", vec![r#"{"name":"Ada","email":"a@b.co"}"#; count].join(","));
        for count in [0, BATCH_MAX + 1] {
            let problem = NewUsers::from_json(batch(count).as_bytes()).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (422, vec![""]));
        }
        assert_eq!(NewUsers::from_json(batch(BATCH_MAX).as_bytes()).unwrap().0.len(), BATCH_MAX);
    }
}
