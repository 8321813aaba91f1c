//! `DELETE /users/:id`: archives the user.

use axum::response::Response;
use http_api::response::no_content;
use http_api::{IfMatch, NoQuery, Problem, Shared};

use crate::app::App;
use crate::problems;
use crate::user_id::UserId;

/// Answers 204.
///
/// # Errors
/// A bad `If-Match`; no such user, another version, no database.
pub async fn remove(app: Shared<App>, UserId(id): UserId, _: NoQuery, only: IfMatch) -> Result<Response, Problem> {
    let statement = async || app.store.archive(id, &only).await;
    app.users.change(id, statement).await.map_err(|error| problems::write(error, id))?;
    Ok(no_content())
}
