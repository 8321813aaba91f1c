//! One seller: `GET` by id, by user, and the caller's own; `DELETE`.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use http_api::response::cache_status;
use http_api::{Admin, Caller, NoQuery, Preconditions, Problem, Shared, path, row_id};
use spin_adapter::postgres::DatabaseError;

use super::SellerId;
use crate::app::App;
use crate::seller::View;
use crate::sellers::FoundId;
use crate::{problems, responses, seller_events};

/// The extractor of the path parameter `userId`.
pub struct UserId(i64);

impl<S: Sync> FromRequestParts<S> for UserId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::last_segment(parts.uri.path(), "userId", |id| row_id(&id)).map(Self)
    }
}

/// Returns the seller, with private members for its owner and administrators.
///
/// # Errors
/// There is no such seller, or the database is unavailable.
pub async fn show(
    app: Shared<App>,
    caller: Caller,
    SellerId(id): SellerId,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let owner = app.owner(id).await?;
    let view = if caller.is_admin() || caller.user_id == owner { View::Private } else { View::Public };
    respond(&app, id, owner, view, &conditions).await
}

/// Returns the seller of a user.
///
/// # Errors
/// The caller is neither this user nor an administrator; the user is not a seller; the database is unavailable.
pub async fn show_by_user(
    app: Shared<App>,
    caller: Caller,
    UserId(user): UserId,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    caller.require_self_or_admin(user)?;
    of_user(&app, user, &conditions).await
}

/// Returns the seller of the caller.
///
/// # Errors
/// The caller is not a seller, or the database is unavailable.
pub async fn show_own(
    app: Shared<App>,
    caller: Caller,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    of_user(&app, caller.user_id, &conditions).await
}

async fn of_user(app: &App, user: i64, conditions: &Preconditions) -> Result<Response, Problem> {
    match app.sellers.of_user(user).await.map_err(DatabaseError::into_problem)? {
        FoundId::Found(id) => respond(app, id, user, View::Private, conditions).await,
        FoundId::Absent(status) => Err(problems::no_seller_of_user(user).with_header(cache_status(status))),
    }
}

async fn respond(app: &App, id: i64, owner: i64, view: View, conditions: &Preconditions) -> Result<Response, Problem> {
    let found = app.sellers.find(id, owner, view).await.map_err(DatabaseError::into_problem)?;
    match found.value {
        Some(json) => responses::read(conditions, &responses::tag(&json, view), found.status, json),
        None => Err(problems::no_such_seller(id).with_header(cache_status(found.status))),
    }
}

/// Archives the seller, and responds with 204.
///
/// # Errors
/// The caller is no administrator; a bad condition; there is no such seller, its version is not allowed, or it has
/// products or sales; the database is unavailable.
pub async fn remove(
    app: Shared<App>,
    Admin(caller): Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let owner = app.owner(id).await?;
    let only = conditions.versions();
    let statement = async || app.sellers.store.archive(id, caller.user_id, &only).await;
    let archived = app.sellers.archive(id, owner, statement).await;
    let seller = archived.map_err(|error| problems::write(error, id, problems::in_use))?;
    app.events.emit(seller_events::deleted(&seller));
    Ok(StatusCode::NO_CONTENT)
}
