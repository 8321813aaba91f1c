//! The actions that change the state of a seller.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use http_api::{Admin, Caller, IfMatch, JsonBody, NoQuery, Problem, Shared};

use super::SellerId;
use crate::app::App;
use crate::sale::Reason;
use crate::state::Action;
use crate::{problems, responses};

/// The extractor of a request to change the state of a seller: who asks, for which seller, and in which version.
pub struct Request {
    caller: Caller,
    id: i64,
    only: IfMatch,
}

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let SellerId(id) = SellerId::<1>::from_request_parts(parts, state).await?;
        NoQuery::from_request_parts(parts, state).await?;
        let only = IfMatch::from_request_parts(parts, state).await?;
        Ok(Self { caller, id, only })
    }
}

/// `POST /sellers/:id/verify`: the owner asks for verification.
///
/// # Errors
/// The caller is not the owner; there is no such seller; its state does not allow the action; members are missing; a bad
/// `If-Match`; the database is unavailable.
pub async fn verify(app: Shared<App>, request: Request) -> Result<Response, Problem> {
    app.checked_owner(request.id, |owner| request.caller.require_self(owner)).await?;
    act(&app, Action::Verify, &request, None).await
}

/// `POST /sellers/:id/approve`: an administrator verifies the seller.
///
/// # Errors
/// The caller is no administrator; otherwise as [`verify`].
pub async fn approve(app: Shared<App>, _: Admin, request: Request) -> Result<Response, Problem> {
    act(&app, Action::Approve, &request, None).await
}

/// `POST /sellers/:id/reject`: an administrator refuses the verification.
///
/// # Errors
/// A bad body; otherwise as [`approve`].
pub async fn reject(
    app: Shared<App>,
    _: Admin,
    request: Request,
    JsonBody(Reason(reason)): JsonBody<Reason>,
) -> Result<Response, Problem> {
    act(&app, Action::Reject, &request, Some(reason)).await
}

/// `POST /sellers/:id/suspend`: an administrator stops the seller.
///
/// # Errors
/// As [`reject`].
pub async fn suspend(
    app: Shared<App>,
    _: Admin,
    request: Request,
    JsonBody(Reason(reason)): JsonBody<Reason>,
) -> Result<Response, Problem> {
    act(&app, Action::Suspend, &request, Some(reason)).await
}

/// `POST /sellers/:id/reactivate`: an administrator ends a suspension.
///
/// # Errors
/// As [`approve`].
pub async fn reactivate(app: Shared<App>, _: Admin, request: Request) -> Result<Response, Problem> {
    act(&app, Action::Reactivate, &request, None).await
}

async fn act(app: &App, action: Action, request: &Request, reason: Option<String>) -> Result<Response, Problem> {
    let Request { caller, id, only } = request;
    let statement = async || app.sellers.store.act(action, *id, caller.user_id, reason.clone(), only).await;
    let changed = app.sellers.change(*id, statement).await;
    let refused = |seller: &_| problems::action_refused(action, seller);
    Ok(responses::changed(&changed.map_err(|error| problems::write(error, *id, refused))?))
}
