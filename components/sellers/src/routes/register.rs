//! `POST /sellers`: a user becomes a seller.

use axum::response::Response;
use http_api::{Caller, JsonBody, NoQuery, Preconditions, Problem, Shared};

use super::list;
use crate::app::App;
use crate::fields::NewSeller;
use crate::user_service::Authorization;
use crate::{problems, responses, seller_events};

/// Registers the caller. The user comes from the token, never from the body.
///
/// # Errors
/// A bad body; a condition that does not hold; the users service does not know the user, says that the user is
/// inactive, or fails; the user is a seller already; the database is unavailable.
pub async fn register(
    app: Shared<App>,
    caller: Caller,
    credentials: Authorization,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(NewSeller(new)): JsonBody<NewSeller>,
) -> Result<Response, Problem> {
    if new.has_commission_rate() && !caller.is_admin() {
        return Err(problems::commission_rate_refused());
    }
    list::check(&app, &conditions).await?;
    validate_user(&app, caller.user_id, credentials).await?;
    let created = app.sellers.create(caller.user_id, &new).await;
    // The id is for problems of sellers that exist.
    let seller = created.map_err(|error| problems::write(error, 0, problems::never_refused))?;
    app.events.emit(seller_events::registered(&seller));
    Ok(responses::created(&seller))
}

/// Checks that the user exists and is active.
async fn validate_user(app: &App, id: i64, credentials: Authorization) -> Result<(), Problem> {
    match app.users.get_user_by_id(id, credentials).await.map_err(problems::user_service)? {
        Some(user) if user.is_active => Ok(()),
        Some(_) => Err(problems::user_inactive(id)),
        None => Err(problems::no_such_user(id)),
    }
}
