//! Lists of sellers for administrators: all, and those that wait for verification. They always come from the database,
//! because each write of any seller would make every cached page outdated.

use std::collections::HashMap;

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http_api::response::{fitting, next_link, to_json};
use http_api::{Admin, ETag, FromQuery, Preconditions, Problem, Query, Shared};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use spin_adapter::postgres::DatabaseError;

use crate::app::App;
use crate::list_query::{OffsetLimit, PendingQuery, SellersQuery, next_page};
use crate::seller::Seller;
use crate::store::Page;
use crate::user_service::{Authorization, User};
use crate::{problems, responses};

/// The bytes of a page besides the sellers and the commas.
const AROUND: usize = r#"{"sellers":[],"total":9223372036854775807}"#.len();

#[derive(Serialize)]
struct SellerList {
    sellers: Vec<Box<RawValue>>,
    total: i64,
}

#[derive(Serialize)]
struct Listed {
    /// First, so that `user` follows the members of the seller.
    #[serde(flatten)]
    seller: Seller,
    /// `Some(None)`: there is no such user. `None`: not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Option<User>>,
}

/// Returns a page of sellers.
///
/// # Errors
/// The caller is no administrator; bad parameters; the database, or the users service if it is needed, is unavailable.
pub async fn list(
    app: Shared<App>,
    _: Admin,
    Query(query): Query<SellersQuery>,
    RawQuery(text): RawQuery,
    credentials: Authorization,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let page = app.sellers.store.page(&query.filter, query.part).await.map_err(DatabaseError::into_problem)?;
    let link = Link { path: "/sellers", query: text.unwrap_or_default(), part: query.part };
    respond(&app, page, query.with_users.then_some(credentials), &link, &conditions).await
}

/// Returns a page of the sellers that wait for verification, the oldest request first.
///
/// # Errors
/// As [`list`].
pub async fn pending(
    app: Shared<App>,
    _: Admin,
    Query(query): Query<PendingQuery>,
    RawQuery(text): RawQuery,
    credentials: Authorization,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let page = app.sellers.store.pending(query.part).await.map_err(DatabaseError::into_problem)?;
    let link = Link { path: "/sellers/pending-verification", query: text.unwrap_or_default(), part: query.part };
    respond(&app, page, query.with_users.then_some(credentials), &link, &conditions).await
}

/// Where this page is.
struct Link {
    path: &'static str,
    query: String,
    part: OffsetLimit,
}

/// Evaluates the conditions of `POST /sellers` against the tag of `GET /sellers`, because both have the same URL. The
/// list may change between this check and the INSERT.
///
/// # Errors
/// A condition that does not hold; the database is unavailable.
pub async fn check(app: &App, conditions: &Preconditions) -> Result<(), Problem> {
    if conditions.is_empty() {
        return Ok(());
    }
    let query = SellersQuery::from_query("")?;
    let page = app.sellers.store.page(&query.filter, query.part).await.map_err(DatabaseError::into_problem)?;
    let (json, _) = page_json(app, page, None).await?;
    conditions.check(Some(&ETag::of_bytes(&json)))
}

async fn respond(
    app: &App,
    page: Page<Seller>,
    with_users: Option<Authorization>,
    link: &Link,
    conditions: &Preconditions,
) -> Result<Response, Problem> {
    let total = page.total;
    let (json, rows) = page_json(app, page, with_users).await?;
    let next = next_page(&link.query, link.part, rows, total);
    let link = next.map(|query| [next_link(&format!("{}?{query}", link.path))]);
    Ok((link, responses::uncached(conditions, &ETag::of_bytes(&json), json)?).into_response())
}

/// The JSON of a page, and how many sellers it has; with users, if there are credentials for the users service. A page
/// that would be too large ends earlier.
async fn page_json(
    app: &App,
    page: Page<Seller>,
    with_users: Option<Authorization>,
) -> Result<(Vec<u8>, usize), Problem> {
    let users = match with_users {
        Some(credentials) => Some(users_of(app, &page.rows, credentials).await?),
        None => None,
    };
    let listed = |seller: Seller| {
        let user = users.as_ref().map(|users| users.get(&seller.user_id).cloned());
        to_raw_value(&Listed { seller: seller.masked(), user }).expect("a seller has no value that JSON cannot express")
    };
    let sellers: Vec<_> = fitting(AROUND, page.rows.into_iter().map(listed), |seller| seller.get().len()).collect();
    let rows = sellers.len();
    Ok((to_json(&SellerList { sellers, total: page.total }), rows))
}

/// The users of these sellers, by id.
async fn users_of(app: &App, sellers: &[Seller], credentials: Authorization) -> Result<HashMap<i64, User>, Problem> {
    let ids: Vec<i64> = sellers.iter().map(|seller| seller.user_id).collect();
    let users = app.users.get_users_by_ids(&ids, credentials).await.map_err(problems::user_service)?;
    Ok(users.into_iter().map(|user| (user.id, user)).collect())
}
