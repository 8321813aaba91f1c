//! New users: `POST /users`, and `POST /users/batch`, which creates all or nothing.

use std::collections::HashSet;

use axum::http::StatusCode;
use axum::response::Response;
use http_api::response::json_bytes;
use http_api::{FieldError, JsonBody, NoQuery, Preconditions, Problem, Shared};
use spin_adapter::postgres::DatabaseError;
use versioned_cache::WriteError;

use super::{MayCreate, list};
use crate::app::App;
use crate::input::{NewUser, NewUsers};
use crate::store::StoreError;
use crate::user::User;
use crate::{page, problems, responses, user_events};

/// Returns the new user and its URL.
///
/// # Errors
/// The client may not create users; a bad body, a condition that does not hold, an address that is taken, an
/// unavailable database.
pub async fn create(
    app: Shared<App>,
    _: MayCreate,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(new): JsonBody<NewUser>,
) -> Result<Response, Problem> {
    list::check(&app, &conditions).await?;
    let created = app.create(&[new]).await?.map_err(|error| problems::write(error, 0))?;
    let user = created.first().ok_or_else(|| Problem::internal("the INSERT gave no row"))?;
    app.events.emit(user_events::created(user));
    Ok(responses::created(user))
}

/// Returns an array of the new users, in the order of the request.
///
/// # Errors
/// The client may not create users; a bad body, an `If-Match`, addresses that are taken or duplicate, an unavailable
/// database.
pub async fn create_batch(
    app: Shared<App>,
    _: MayCreate,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(NewUsers(new)): JsonBody<NewUsers>,
) -> Result<Response, Problem> {
    // This URL has no GET, so there is no current representation.
    conditions.check(None)?;
    let duplicates = duplicate_emails(&new);
    if !duplicates.is_empty() {
        return Err(problems::email_conflict(duplicates));
    }
    match app.create(&new).await? {
        Ok(created) => {
            created.iter().for_each(|user| app.events.emit(user_events::created(user)));
            Ok(json_bytes(StatusCode::CREATED, page::array(created.iter().map(User::to_json))))
        }
        Err(WriteError::Statement(StoreError::EmailTaken)) => Err(taken_emails(&app, &new).await?),
        Err(error) => Err(problems::write(error, 0)),
    }
}

fn duplicate_emails(users: &[NewUser]) -> Vec<FieldError> {
    let mut seen = HashSet::new();
    let duplicates = users.iter().enumerate().filter(|(_, user)| !seen.insert(user.email.to_ascii_lowercase()));
    duplicates.map(|(at, _)| FieldError::at(format!("/{at}/email"), "is a duplicate in the batch")).collect()
}

/// Names the elements whose addresses are taken. If they are free again by now, the problem names none.
async fn taken_emails(app: &App, users: &[NewUser]) -> Result<Problem, Problem> {
    let emails = users.iter().map(|user| user.email.to_ascii_lowercase()).collect();
    let taken: HashSet<_> = app.store.taken(emails).await.map_err(DatabaseError::into_problem)?.into_iter().collect();
    let conflicts = users.iter().enumerate().filter(|(_, user)| taken.contains(&user.email.to_ascii_lowercase()));
    Ok(problems::email_conflict(conflicts.map(|(at, _)| problems::email_taken(&format!("/{at}/email"))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_addresses_are_found_whatever_their_case() {
        let user = |email: &str| NewUser { name: "Ada".into(), email: email.into(), roles: vec![], is_active: true };
        let duplicates = duplicate_emails(&[user("a@b.co"), user("c@d.co"), user("A@B.co"), user("a@b.CO")]);
        let expected = ["/2/email", "/3/email"].map(|pointer| FieldError::at(pointer, "is a duplicate in the batch"));
        assert_eq!(duplicates, expected);
    }
}
