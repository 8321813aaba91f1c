//! `GET /sellers/:id/history`: who changed the states of a seller, and why.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http_api::response::{next_link, to_json};
use http_api::{ETag, Preconditions, Problem, Query, Shared};
use serde::Serialize;
use spin_adapter::postgres::DatabaseError;

use super::ManagedSeller;
use crate::app::App;
use crate::list_query::{OffsetLimit, next_page};
use crate::store::HistoryRow;
use crate::{problems, responses};

#[derive(Serialize)]
struct History {
    history: Vec<HistoryRow>,
    total: i64,
}

/// Returns a page of the history, the oldest change first.
///
/// # Errors
/// The caller is neither the owner nor an administrator; bad parameters; there is no such seller; the database is
/// unavailable.
pub async fn show(
    app: Shared<App>,
    ManagedSeller { id, .. }: ManagedSeller,
    Query(part): Query<OffsetLimit>,
    RawQuery(text): RawQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let page = app.sellers.store.history(id, part).await.map_err(DatabaseError::into_problem)?;
    let page = page.ok_or_else(|| problems::no_such_seller(id))?;
    let next = next_page(&text.unwrap_or_default(), part, page.rows.len(), page.total);
    let link = next.map(|query| [next_link(&format!("/sellers/{id}/history?{query}"))]);
    let json = to_json(&History { history: page.rows, total: page.total });
    Ok((link, responses::uncached(&conditions, &ETag::of_bytes(&json), json)?).into_response())
}
