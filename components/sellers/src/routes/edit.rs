//! The `PATCH`es: change the given members of a seller.

use axum::response::Response;
use http_api::{Admin, IfMatch, JsonBody, NoQuery, Problem, Shared};

use super::{OwnSeller, SellerId};
use crate::app::App;
use crate::fields::{BankingChanges, Columns, ProfileChanges, SellerChanges};
use crate::store::Edit;
use crate::{problems, responses};

/// `PATCH /sellers/:id/profile`.
///
/// # Errors
/// The caller is neither the owner nor an administrator; a bad body or `If-Match`; there is no such seller, it has another
/// version or is suspended; the database is unavailable.
pub async fn profile(
    app: Shared<App>,
    OwnSeller { id, .. }: OwnSeller<1>,
    _: NoQuery,
    only: IfMatch,
    JsonBody(ProfileChanges(changes)): JsonBody<ProfileChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, Edit::UnlessSuspended, &only).await
}

/// `PATCH /sellers/:id/banking`.
///
/// # Errors
/// As [`profile`].
pub async fn banking(
    app: Shared<App>,
    OwnSeller { id, .. }: OwnSeller<1>,
    _: NoQuery,
    only: IfMatch,
    JsonBody(BankingChanges(changes)): JsonBody<BankingChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, Edit::UnlessSuspended, &only).await
}

/// `PATCH /sellers/:id`.
///
/// # Errors
/// The caller is no administrator; a bad body or `If-Match`; there is no such seller or it has another version; the database
/// is unavailable.
pub async fn all(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    only: IfMatch,
    JsonBody(SellerChanges(changes)): JsonBody<SellerChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, Edit::Always, &only).await
}

async fn edit(app: &App, id: i64, changes: &Columns, edit: Edit, only: &IfMatch) -> Result<Response, Problem> {
    let statement = async || app.sellers.store.edit(id, changes, edit, only).await;
    let changed = app.sellers.change(id, statement).await;
    let seller = changed.map_err(|error| problems::write(error, id, problems::suspended))?;
    Ok(responses::changed(&seller))
}
