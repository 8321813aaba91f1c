//! `GET /sellers/:id/history`: who changed the states of a seller, and why.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http_api::response::{next_link, to_json};
use http_api::{ETag, IfNoneMatch, Problem, Query, Shared};
use serde::Serialize;
use spin_adapter::postgres::DatabaseError;

use super::OwnSeller;
use crate::app::App;
use crate::list_query::{Slice, next_page};
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
    OwnSeller { id, .. }: OwnSeller<1>,
    Query(slice): Query<Slice>,
    RawQuery(text): RawQuery,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let page = app.sellers.store.history(id, slice).await.map_err(DatabaseError::into_problem)?;
    let page = page.ok_or_else(|| problems::no_such_seller(id))?;
    let next = next_page(&text.unwrap_or_default(), slice, page.total);
    let link = next.map(|query| [next_link(&format!("/sellers/{id}/history?{query}"))]);
    let json = to_json(&History { history: page.rows, total: page.total });
    Ok((link, responses::uncached(&known, &ETag::of_bytes(&json), json)).into_response())
}
