//! The routes of the component.

mod create;
mod list;
mod one_user;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use http_api::{Problem, Shared, local, no_such_method, no_such_route, path, row_id};

use crate::app::App;
use crate::input::Changes;
use crate::problems;

/// The extractor of the path parameter `id`. Each id has one spelling, so each user has one URL.
pub struct UserId(i64);

impl<S: Sync> FromRequestParts<S> for UserId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::last_segment(parts.uri.path(), "id", |id| row_id(&id)).map(Self)
    }
}

/// The extractor of the right to create users. Put it before the extractor of the body: then others get 403 whatever
/// they send.
pub struct MayCreate;

impl FromRequestParts<Shared<App>> for MayCreate {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared<App>) -> Result<Self, Problem> {
        match app.access.caller(parts).await? {
            Some(caller) => caller.require_admin().map(|()| Self),
            None => Ok(Self),
        }
    }
}

/// The extractor of the user in the path, whom the client may change and delete. Put it before the extractor of the
/// body, as [`MayCreate`].
pub struct ChangedUser {
    /// The user.
    pub id: i64,
    /// Whether the client may change all members.
    all_members: bool,
}

impl FromRequestParts<Shared<App>> for ChangedUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared<App>) -> Result<Self, Problem> {
        let UserId(id) = UserId::from_request_parts(parts, app).await?;
        let Some(caller) = app.access.caller(parts).await? else { return Ok(Self { id, all_members: true }) };
        caller.require_self_or_admin(id)?;
        Ok(Self { id, all_members: caller.is_admin() })
    }
}

impl ChangedUser {
    /// Refuses members that users must not change of themselves. Otherwise a user could add the role of an
    /// administrator, which the next token would have, and a deactivated user could become active again.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](http_api::Kind::Forbidden), which names the members.
    pub fn check(&self, changes: &Changes) -> Result<(), Problem> {
        let members = [("/roles", changes.roles.is_some()), ("/isActive", changes.is_active.is_some())];
        let refused: Vec<&str> = members.into_iter().filter(|(_, given)| *given).map(|(pointer, _)| pointer).collect();
        if self.all_members || refused.is_empty() { Ok(()) } else { Err(problems::members_refused(&refused)) }
    }
}

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let one_user = get(local(one_user::show))
        .put(local(one_user::put))
        .patch(local(one_user::patch))
        .delete(local(one_user::remove));
    let routes = Router::new()
        .route("/users", get(local(list::list)).post(local(create::create)))
        .route("/users/batch", post(local(create::create_batch)))
        .route("/users/{id}", one_user);
    app.access
        .guard(routes)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(all_members: bool, roles: bool, is_active: bool) -> Vec<String> {
        let roles = roles.then(|| vec!["admin".to_owned()]);
        let changes = Changes { name: Some("Ada".into()), email: None, roles, is_active: is_active.then_some(true) };
        match (ChangedUser { id: 7, all_members }).check(&changes) {
            Ok(()) => Vec::new(),
            Err(problem) => problem.wrong_fields().into_iter().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn only_administrators_change_roles_and_is_active() {
        assert_eq!(refused(false, false, false), [""; 0]);
        assert_eq!(refused(false, true, false), ["/roles"]);
        assert_eq!(refused(false, false, true), ["/isActive"]);
        assert_eq!(refused(false, true, true), ["/roles", "/isActive"]);
        assert_eq!(refused(true, true, true), [""; 0]);
    }
}
