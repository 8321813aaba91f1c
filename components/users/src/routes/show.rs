//! `GET /users/:id`, from the cache or the database.

use axum::response::Response;
use http_api::response::cache_status;
use http_api::{IfNoneMatch, NoQuery, Problem, Shared};

use crate::app::App;
use crate::user::{User, etag};
use crate::user_id::UserId;
use crate::{problems, responses};

/// Answers the user.
///
/// # Errors
/// No such user, no database.
pub async fn show(app: Shared<App>, UserId(id): UserId, _: NoQuery, known: IfNoneMatch) -> Result<Response, Problem> {
    let find = async || Ok(app.store.find(id).await?.as_ref().map(User::to_json));
    let found = app.users.find(id, find).await.map_err(problems::database)?;
    match found.value {
        Some(json) => Ok(responses::read(&known, &etag(&json), &found.status.to_string(), json)),
        None => Err(problems::no_such_user(id).with_header(cache_status(found.status))),
    }
}
