//! The bodies of requests: a new user, a batch of them, changes.

use garde::Validate;
use problem::{FieldError, Object, Problem};
use serde::{Deserialize, Deserializer, Serialize};

use crate::rules;

/// New users in one batch, at most.
pub const BATCH_MAX: usize = 1_000;

/// The body of `POST /users`, and an element of the body of `POST /users/batch`. Members are optional here so that all
/// that are missing are told at once.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewUserBody {
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(required(|name: &String| rules::check_name(name))))]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(required(|email: &String| rules::check_email(email))))]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(optional(|roles: &Vec<String>| rules::check_roles(roles))))]
    roles: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    is_active: Option<bool>,
}

/// A user to be created; everything in it follows the rules.
///
/// Serialized as a row of the table: columns by their names.
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

impl NewUser {
    /// Reads the body of `POST /users`.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown or not valid.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<NewUserBody> = problem::parse(bytes)?;
        check(&body)?;
        Ok(body.into())
    }

    /// Reads the body of `POST /users/batch`.
    ///
    /// # Errors
    /// As for one user, with the index in each pointer; too many or no elements.
    pub fn batch_from_body(bytes: &[u8]) -> Result<Vec<Self>, Problem> {
        let objects: Vec<Object<NewUserBody>> = problem::parse(bytes)?;
        let bodies: Vec<NewUserBody> = objects.into_iter().map(|Object(body)| body).collect();
        if bodies.is_empty() || bodies.len() > BATCH_MAX {
            let detail = format!("must have 1 to {BATCH_MAX} elements");
            return Err(Problem::validation(vec![FieldError::at("", detail)]));
        }
        check(&bodies)?;
        Ok(bodies.into_iter().map(Self::from).collect())
    }
}

impl From<NewUserBody> for NewUser {
    fn from(body: NewUserBody) -> Self {
        Self {
            name: body.name.unwrap_or_default(),
            email: body.email.unwrap_or_default(),
            roles: body.roles.unwrap_or_else(|| vec!["user".to_owned()]),
            is_active: body.is_active.unwrap_or(true),
        }
    }
}

/// The body of `PUT` and `PATCH /users/:id`: what is absent stays as it is.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Validate)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Changes {
    /// The new name.
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(optional(|name: &String| rules::check_name(name))))]
    pub name: Option<String>,
    /// The new email address.
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(optional(|email: &String| rules::check_email(email))))]
    pub email: Option<String>,
    /// The new roles, all of them.
    #[serde(default, deserialize_with = "present")]
    #[garde(custom(optional(|roles: &Vec<String>| rules::check_roles(roles))))]
    pub roles: Option<Vec<String>>,
    /// Whether the user is active from now on.
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    pub is_active: Option<bool>,
}

impl Changes {
    /// Reads the body of `PUT` or `PATCH /users/:id`.
    ///
    /// # Errors
    /// Malformed JSON; members that are unknown or not valid; none at all.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(changes): Object<Self> = problem::parse(bytes)?;
        if changes == Self::default() {
            let detail = "must have at least one of name, email, roles and isActive";
            return Err(Problem::validation(vec![FieldError::at("", detail)]));
        }
        check(&changes)?;
        Ok(changes)
    }
}

/// A member that may be absent, but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn required<T>(rule: impl Fn(&T) -> Result<(), String>) -> impl Fn(&Option<T>, &()) -> garde::Result {
    move |value, _| match value {
        Some(value) => rule(value).map_err(garde::Error::new),
        None => Err(garde::Error::new("is missing")),
    }
}

fn optional<T>(rule: impl Fn(&T) -> Result<(), String>) -> impl Fn(&Option<T>, &()) -> garde::Result {
    move |value, _| value.as_ref().map_or(Ok(()), |value| rule(value).map_err(garde::Error::new))
}

/// All broken rules as one problem. The names of the members that have rules are the same in Rust and in JSON.
fn check<T: Validate<Context = ()>>(body: &T) -> Result<(), Problem> {
    body.validate().map_err(|report| {
        let errors = report.iter().map(|(path, error)| FieldError::at(pointer(&path.to_string()), error.message()));
        Problem::validation(errors.collect())
    })
}

/// `[3].email` as a JSON Pointer: `/3/email`.
fn pointer(path: &str) -> String {
    path.split(['[', ']', '.']).filter(|part| !part.is_empty()).flat_map(|part| ["/", part]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use problem::Kind;

    fn pointers(problem: &Problem) -> Vec<&str> {
        problem.errors().iter().filter_map(FieldError::pointer).collect()
    }

    #[test]
    fn defaults_are_filled_in() {
        let user = NewUser::from_body(br#"{"name": "Ada", "email": "Ada@example.org"}"#).unwrap();
        let roles = vec!["user".to_owned()];
        assert_eq!(user, NewUser { name: "Ada".into(), email: "Ada@example.org".into(), roles, is_active: true });
    }

    #[test]
    fn all_broken_rules_are_told_at_once() {
        let problem = NewUser::from_body(br#"{"name": "A", "roles": ["x", "x"]}"#).unwrap_err();
        assert_eq!(problem.kind(), Kind::Validation);
        assert_eq!(pointers(&problem), ["/email", "/name", "/roles"]);
        assert_eq!(problem.errors()[0].detail(), "is missing");
    }

    #[test]
    fn errors_of_a_batch_carry_the_index() {
        let batch = br#"[{"name": "Ada", "email": "a@b.co"}, {"name": "A", "email": "a"}, {}]"#;
        let problem = NewUser::batch_from_body(batch).unwrap_err();
        assert_eq!(pointers(&problem), ["/1/email", "/1/name", "/2/email", "/2/name"]);
        let problem = NewUser::batch_from_body(br#"[{"name": "Ada", "email": "a@b.co", "id": 4}]"#).unwrap_err();
        assert_eq!(pointers(&problem), ["/0/id"]);
    }

    #[test]
    fn a_batch_has_one_to_a_thousand_elements() {
        let batch = |count| format!("[{}]", vec![r#"{"name":"Ada","email":"a@b.co"}"#; count].join(","));
        for count in [0, BATCH_MAX + 1] {
            let problem = NewUser::batch_from_body(batch(count).as_bytes()).unwrap_err();
            assert_eq!((problem.kind(), pointers(&problem)), (Kind::Validation, vec![""]));
        }
        assert_eq!(NewUser::batch_from_body(batch(BATCH_MAX).as_bytes()).unwrap().len(), BATCH_MAX);
    }

    #[test]
    fn changes_need_a_member_and_no_null() {
        assert_eq!(pointers(&Changes::from_body(b"{}").unwrap_err()), [""]);
        for member in ["name", "email", "roles", "isActive"] {
            let problem = Changes::from_body(format!(r#"{{"{member}": null}}"#).as_bytes()).unwrap_err();
            assert_eq!(pointers(&problem), [format!("/{member}")]);
        }
        assert_eq!(Changes::from_body(br#"{"isActive": false}"#).unwrap().is_active, Some(false));
    }
}
