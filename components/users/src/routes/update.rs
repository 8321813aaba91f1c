//! `PUT` and `PATCH /users/:id`: members that are absent stay as they are.

use axum::response::Response;
use http_api::{IfMatch, JsonBody, NoQuery, Problem, Shared};

use crate::app::App;
use crate::input::Changes;
use crate::user_id::UserId;
use crate::{problems, responses};

/// Answers the user in its new version.
///
/// # Errors
/// A bad body or `If-Match`; no such user, another version, a taken address, no database.
pub async fn update(
    app: Shared<App>,
    UserId(id): UserId,
    _: NoQuery,
    only: IfMatch,
    JsonBody(changes): JsonBody<Changes>,
) -> Result<Response, Problem> {
    let statement = async || app.store.update(id, &changes, &only).await;
    let user = app.users.change(id, statement).await.map_err(|error| problems::write(error, id))?;
    Ok(responses::changed(&user))
}
