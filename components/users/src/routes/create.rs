//! `POST /users`.

use axum::response::Response;
use http_api::{JsonBody, NoQuery, Problem, Shared};

use crate::app::App;
use crate::input::NewUser;
use crate::{problems, responses};

/// Answers the new user and its URL.
///
/// # Errors
/// A bad body, a taken address, no database.
pub async fn create(app: Shared<App>, _: NoQuery, JsonBody(new): JsonBody<NewUser>) -> Result<Response, Problem> {
    let created = app.create(&[new]).await?.map_err(|error| problems::write(error, 0))?;
    let user = created.first().ok_or_else(|| Problem::internal("the INSERT gave no row"))?;
    Ok(responses::created(user))
}
