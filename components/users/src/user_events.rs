//! The events about users. They have the id and the version of a user, and none of its other members.

use events::NewEvent;

use crate::user::User;

/// A user was created.
pub fn created(user: &User) -> NewEvent {
    about("tumbler.user.created", user.id, user.version)
}

/// A user was changed.
pub fn updated(user: &User) -> NewEvent {
    about("tumbler.user.updated", user.id, user.version)
}

/// A user was archived. `version` is its version after that.
pub fn deleted(id: i64, version: i32) -> NewEvent {
    about("tumbler.user.deleted", id, version)
}

fn about(kind: &'static str, id: i64, version: i32) -> NewEvent {
    NewEvent::new(kind, format!("users/{id}")).version(version.into())
}
