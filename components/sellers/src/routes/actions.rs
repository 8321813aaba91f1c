//! The actions that change the state of a seller.

use axum::response::Response;
use http_api::{Admin, Caller, IfMatch, JsonBody, NoQuery, Problem, Shared};

use super::SellerId;
use crate::app::App;
use crate::sale::Reason;
use crate::state::Action;
use crate::{problems, responses};

/// `POST /sellers/:id/verify`: the owner asks for verification.
///
/// # Errors
/// The caller is not the owner; there is no such seller; its state does not allow the action; members are missing; a bad
/// `If-Match`; the database is unavailable.
pub async fn verify(
    app: Shared<App>,
    caller: Caller,
    SellerId(id): SellerId<1>,
    _: NoQuery,
    only: IfMatch,
) -> Result<Response, Problem> {
    caller.require_self(app.owner(id).await?)?;
    act(&app, Action::Verify, id, &caller, None, &only).await
}

/// `POST /sellers/:id/approve`: an administrator verifies the seller.
///
/// # Errors
/// The caller is no administrator; otherwise as [`verify`].
pub async fn approve(
    app: Shared<App>,
    Admin(caller): Admin,
    SellerId(id): SellerId<1>,
    _: NoQuery,
    only: IfMatch,
) -> Result<Response, Problem> {
    act(&app, Action::Approve, id, &caller, None, &only).await
}

/// `POST /sellers/:id/reject`: an administrator refuses the verification.
///
/// # Errors
/// A bad body; otherwise as [`approve`].
pub async fn reject(
    app: Shared<App>,
    Admin(caller): Admin,
    SellerId(id): SellerId<1>,
    _: NoQuery,
    only: IfMatch,
    JsonBody(Reason(reason)): JsonBody<Reason>,
) -> Result<Response, Problem> {
    act(&app, Action::Reject, id, &caller, Some(reason), &only).await
}

/// `POST /sellers/:id/suspend`: an administrator stops the seller.
///
/// # Errors
/// As [`reject`].
pub async fn suspend(
    app: Shared<App>,
    Admin(caller): Admin,
    SellerId(id): SellerId<1>,
    _: NoQuery,
    only: IfMatch,
    JsonBody(Reason(reason)): JsonBody<Reason>,
) -> Result<Response, Problem> {
    act(&app, Action::Suspend, id, &caller, Some(reason), &only).await
}

/// `POST /sellers/:id/reactivate`: an administrator ends a suspension.
///
/// # Errors
/// As [`approve`].
pub async fn reactivate(
    app: Shared<App>,
    Admin(caller): Admin,
    SellerId(id): SellerId<1>,
    _: NoQuery,
    only: IfMatch,
) -> Result<Response, Problem> {
    act(&app, Action::Reactivate, id, &caller, None, &only).await
}

async fn act(
    app: &App,
    action: Action,
    id: i64,
    caller: &Caller,
    reason: Option<String>,
    only: &IfMatch,
) -> Result<Response, Problem> {
    let statement = async || app.sellers.store.act(action, id, caller.user_id, reason.clone(), only).await;
    let changed = app.sellers.change(id, statement).await;
    let seller =
        changed.map_err(|error| problems::write(error, id, |seller| problems::action_refused(action, seller)))?;
    Ok(responses::changed(&seller))
}
