//! The actions that change the state of a seller.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use http_api::{
    Admin, Caller, Errors, FromJson, JsonBody, NoQuery, Object, Preconditions, Problem, Shared, Versions, present,
    rules,
};
use serde::Deserialize;

use super::SellerId;
use crate::app::App;
use crate::state::Action;
use crate::{problems, responses, seller_events};

/// Bytes of a body, at most.
const MAX_BYTES: usize = 16 * 1024;
/// Characters of a reason, at most.
const REASON_MAX: usize = 1_000;

/// The body of `POST /sellers/:id/reject` and `/suspend`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawReason {
    #[serde(deserialize_with = "present")]
    reason: Option<String>,
}

impl FromJson for Reason {
    type Raw = Object<RawReason>;
    const MAX_BYTES: usize = MAX_BYTES;

    fn check(Object(body): Object<RawReason>, errors: &mut Errors) -> Option<Self> {
        errors.required("/reason", body.reason, |reason| rules::lines(reason, 1, REASON_MAX)).map(Self)
    }
}

/// The extractor of a request to change the state of a seller: who asks, for which seller, and in which version.
pub struct Request {
    caller: Caller,
    id: i64,
    only: Versions,
}

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let SellerId(id) = SellerId::from_request_parts(parts, state).await?;
        NoQuery::from_request_parts(parts, state).await?;
        let only = Preconditions::from_request_parts(parts, state).await?.versions();
        Ok(Self { caller, id, only })
    }
}

/// `POST /sellers/:id/verify`: the owner asks for verification.
///
/// # Errors
/// The caller is not the owner; there is no such seller; its state does not allow the action; members are missing; a
/// bad condition; the database is unavailable.
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
    let seller = changed.map_err(|error| problems::write(error, *id, refused))?;
    app.events.emit(seller_events::acted(action, &seller));
    Ok(responses::changed(&seller))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_characters() {
        assert_eq!(Reason::from_json(br#"{"reason":"a\nb"}"#), Ok(Reason("a\nb".to_owned())));
        for bad in ["", "  ", &"x".repeat(1001)] {
            let problem = Reason::from_json(format!(r#"{{"reason":"{bad}"}}"#).as_bytes()).expect_err(bad);
            assert_eq!(problem.wrong_fields(), ["/reason"], "{bad}");
        }
        assert_eq!(Reason::from_json(b"{}").unwrap_err().wrong_fields(), ["/reason"]);
    }
}
