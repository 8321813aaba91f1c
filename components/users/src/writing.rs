//! `POST`, `PUT`, `PATCH` and `DELETE`: each is one SQL statement inside the cache's write protocol.

use std::collections::HashSet;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use problem::FieldError;
use spin_adapter::http::{Failure, read_body};
use versioned_cache::WriteError;

use crate::app::App;
use crate::entity_tag::Precondition;
use crate::input::{Changes, NewUser};
use crate::store::StoreError;
use crate::user::User;
use crate::{answers, failures, page};

const MEDIA_TYPE: &str = "application/json";
/// Bytes of a body that is about one user, at most.
const BODY_MAX: usize = 64 * 1024;
/// Bytes of a batch, at most: a thousand users of about a kilobyte.
const BATCH_BODY_MAX: usize = 1024 * 1024;

/// `POST /users`.
///
/// # Errors
/// A bad body, a taken address, no database.
pub async fn create(app: &App, request: Request) -> Result<Response, Failure> {
    let user = NewUser::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let created = insert(app, &[user]).await?.map_err(|error| failures::write(error, 0))?;
    let user = created.first().ok_or_else(|| Failure::internal("the INSERT gave no row"))?;
    Ok(answers::created(user))
}

/// `POST /users/batch`: all or nothing.
///
/// # Errors
/// A bad body, taken or doubled addresses, no database.
pub async fn create_batch(app: &App, request: Request) -> Result<Response, Failure> {
    let users = NewUser::batch_from_body(&read_body(request, MEDIA_TYPE, BATCH_BODY_MAX).await?)?;
    let doubled = doubled_emails(&users);
    if !doubled.is_empty() {
        return Err(failures::email_conflict(doubled));
    }
    match insert(app, &users).await? {
        Ok(created) => Ok(answers::created_batch(page::array(created.iter().map(User::to_json)))),
        Err(WriteError::Statement(StoreError::EmailTaken)) => Err(taken_emails(app, &users).await?),
        Err(error) => Err(failures::write(error, 0)),
    }
}

/// The ids are drawn first, so that the cache knows before the INSERT which users it concerns.
async fn insert(app: &App, new: &[NewUser]) -> Result<Result<Vec<User>, WriteError<StoreError>>, Failure> {
    let ids = app.store.draw_ids(new.len()).await.map_err(failures::database)?;
    Ok(app.users.create(&ids, async || app.store.insert(&ids, new).await).await)
}

fn doubled_emails(users: &[NewUser]) -> Vec<FieldError> {
    let mut seen = HashSet::new();
    let doubled = users.iter().enumerate().filter(|(_, user)| !seen.insert(user.email.to_ascii_lowercase()));
    doubled.map(|(at, _)| FieldError::at(format!("/{at}/email"), "stands in the batch before")).collect()
}

/// Names the elements whose addresses are taken. By now they may be free again: then only the conflict is told.
async fn taken_emails(app: &App, users: &[NewUser]) -> Result<Failure, Failure> {
    let emails = users.iter().map(|user| user.email.to_ascii_lowercase()).collect();
    let taken: HashSet<_> = app.store.taken(emails).await.map_err(failures::database)?.into_iter().collect();
    let conflicts = users.iter().enumerate().filter(|(_, user)| taken.contains(&user.email.to_ascii_lowercase()));
    Ok(failures::email_conflict(conflicts.map(|(at, _)| failures::email_taken(&format!("/{at}/email"))).collect()))
}

/// `PUT` and `PATCH /users/:id`.
///
/// # Errors
/// A bad body or `If-Match`; no such user, another version, a taken address, no database.
pub async fn update(app: &App, id: i64, request: Request) -> Result<Response, Failure> {
    let only = Precondition::from_headers(request.headers())?;
    let changes = Changes::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let statement = async || app.store.update(id, &changes, &only).await;
    let user = app.users.change(id, statement).await.map_err(|error| failures::write(error, id))?;
    Ok(answers::changed(&user))
}

/// `DELETE /users/:id`.
///
/// # Errors
/// A bad `If-Match`; no such user, another version, no database.
pub async fn remove(app: &App, id: i64, headers: &HeaderMap) -> Result<Response, Failure> {
    let only = Precondition::from_headers(headers)?;
    let statement = async || app.store.archive(id, &only).await;
    app.users.change(id, statement).await.map_err(|error| failures::write(error, id))?;
    Ok(answers::removed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_addresses_are_found_whatever_their_case() {
        let user = |email: &str| NewUser { name: "Ada".into(), email: email.into(), roles: vec![], is_active: true };
        let doubled = doubled_emails(&[user("a@b.co"), user("c@d.co"), user("A@B.co"), user("a@b.CO")]);
        assert_eq!(doubled.iter().filter_map(FieldError::pointer).collect::<Vec<_>>(), ["/2/email", "/3/email"]);
    }
}
