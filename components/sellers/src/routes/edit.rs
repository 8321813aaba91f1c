//! The `PATCH`es: change the given members of a seller.

use axum::response::Response;
use http_api::{Admin, JsonBody, NoQuery, Preconditions, Problem, Shared};

use super::{ManagedSeller, SellerId};
use crate::app::App;
use crate::fields::{BankingChanges, ColumnValues, ProfileChanges, SellerChanges};
use crate::store::WhileSuspended;
use crate::{problems, responses, seller_events};

/// `PATCH /sellers/:id/profile`.
///
/// # Errors
/// The caller is neither the owner nor an administrator; a bad body or condition; there is no such seller; its version
/// is not allowed; it is suspended, or would lose a member that its verification needs; the database is unavailable.
pub async fn profile(
    app: Shared<App>,
    ManagedSeller { id, .. }: ManagedSeller,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(ProfileChanges(changes)): JsonBody<ProfileChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, WhileSuspended::Refuse, &conditions).await
}

/// `PATCH /sellers/:id/banking`.
///
/// # Errors
/// As [`profile`].
pub async fn banking(
    app: Shared<App>,
    ManagedSeller { id, .. }: ManagedSeller,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(BankingChanges(changes)): JsonBody<BankingChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, WhileSuspended::Refuse, &conditions).await
}

/// `PATCH /sellers/:id`.
///
/// # Errors
/// The caller is no administrator; a bad body or condition; there is no such seller; its version is not allowed, or it
/// would lose a member that its verification needs; the database is unavailable.
pub async fn all(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    conditions: Preconditions,
    JsonBody(SellerChanges(changes)): JsonBody<SellerChanges>,
) -> Result<Response, Problem> {
    edit(&app, id, &changes, WhileSuspended::Allow, &conditions).await
}

async fn edit(
    app: &App,
    id: i64,
    changes: &ColumnValues,
    suspended: WhileSuspended,
    conditions: &Preconditions,
) -> Result<Response, Problem> {
    let only = conditions.versions();
    let statement = async || app.sellers.store.edit(id, changes, suspended, &only).await;
    let changed = app.sellers.change(id, statement).await;
    let refused = |seller: &_| problems::edit_refused(seller, suspended);
    let seller = changed.map_err(|error| problems::write(error, id, refused))?;
    app.events.emit(seller_events::updated(&seller));
    Ok(responses::changed(&seller))
}
