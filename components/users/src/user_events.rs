//! What other programs are told about users: that one has changed, and its version. Never what is in it.

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

/// A user was archived, in this version.
pub fn deleted(id: i64, version: i32) -> NewEvent {
    about("tumbler.user.deleted", id, version)
}

fn about(kind: &'static str, id: i64, version: i32) -> NewEvent {
    NewEvent::new(kind, format!("users/{id}")).version(version.into())
}
