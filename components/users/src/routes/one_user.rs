//! One user, `/users/:id`: `GET`, `PUT`, `PATCH` and `DELETE`.

use axum::http::StatusCode;
use axum::response::Response;
use http_api::response::cache_status;
use http_api::{ETag, JsonBody, NoQuery, Preconditions, Problem, Shared};
use spin_adapter::postgres::DatabaseError;

use super::{ChangedUser, UserId};
use crate::app::App;
use crate::input::Changes;
use crate::user::User;
use crate::{problems, responses, user_events};

/// Returns the user, from the cache or the database.
///
/// # Errors
/// There is no such user, `If-Match` does not allow it, or the database is unavailable.
pub async fn show(
    app: Shared<App>,
    UserId(id): UserId,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    // After a hit it may run after the response, to check the hit. So it owns what it uses.
    let find = {
        let app = app.clone();
        async move || Ok(app.store.find(id).await?.as_ref().map(User::to_json))
    };
    let found = app.users.find(id, find).await.map_err(DatabaseError::into_problem)?;
    match found.value {
        Some(json) => responses::read(&conditions, &ETag::of_last_version(&json), found.status, json),
        None => Err(problems::no_such_user(id).with_header(cache_status(found.status))),
    }
}

/// `PUT`: changes the given members and keeps the others, as in the service that this one replaces.
///
/// # Errors
/// The client may not change this; a bad body or condition; there is no such user, its version is not allowed, the
/// address is taken, or the database is unavailable.
pub async fn put(
    app: Shared<App>,
    user: ChangedUser,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(changes): JsonBody<Changes>,
) -> Result<Response, Problem> {
    update(&app, &user, &conditions, &changes).await.map(|user| responses::put(&user))
}

/// `PATCH`: changes the given members.
///
/// # Errors
/// As [`put`].
pub async fn patch(
    app: Shared<App>,
    user: ChangedUser,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(changes): JsonBody<Changes>,
) -> Result<Response, Problem> {
    update(&app, &user, &conditions, &changes).await.map(|user| responses::patched(&user))
}

async fn update(app: &App, user: &ChangedUser, conditions: &Preconditions, changes: &Changes) -> Result<User, Problem> {
    user.check(changes)?;
    let id = user.id;
    let only = conditions.versions();
    let statement = async || app.store.update(id, changes, &only).await;
    let user = app.users.change(id, statement).await.map_err(|error| problems::write(error, id))?;
    app.events.emit(user_events::updated(&user));
    Ok(user)
}

/// Archives the user, and responds with 204.
///
/// # Errors
/// The client may not delete this user; a bad condition; there is no such user, its version is not allowed, or the
/// database is unavailable.
pub async fn remove(
    app: Shared<App>,
    ChangedUser { id, .. }: ChangedUser,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let only = conditions.versions();
    let statement = async || app.store.archive(id, &only).await;
    let version = app.users.change(id, statement).await.map_err(|error| problems::write(error, id))?;
    app.events.emit(user_events::deleted(id, version));
    Ok(StatusCode::NO_CONTENT)
}
