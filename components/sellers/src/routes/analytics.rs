//! `GET /sellers/:id/analytics/…`: what the recorded sales of a seller say. The results are cached, and outdated by
//! each sale.

use axum::response::Response;
use http_api::response::{cache_status, optional_rfc3339, rfc3339, to_json};
use http_api::{ETag, Preconditions, Problem, Query, Shared};
use ports::Runtime;
use serde::Serialize;
use spin_adapter::SpinRuntime;
use spin_adapter::postgres::DatabaseError;

use super::ManagedSeller;
use crate::app::App;
use crate::decimal::TwoDecimals;
use crate::named::Named;
use crate::period::{AnalyticsQuery, Period, ProductsQuery, Span};
use crate::seller::Seller;
use crate::state::{Status, Verification};
use crate::{problems, responses};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    seller_id: i64,
    business_name: String,
    period: &'static str,
    #[serde(serialize_with = "rfc3339")]
    start_date: i64,
    #[serde(serialize_with = "rfc3339")]
    end_date: i64,
    total_products: i64,
    total_sales: i64,
    total_revenue: TwoDecimals,
    average_order_value: TwoDecimals,
    rating: TwoDecimals,
    status: Status,
    verification_status: Verification,
    account_age_days: i64,
    #[serde(serialize_with = "optional_rfc3339")]
    last_sale_at: Option<i64>,
}

/// Returns the figures of the seller at a glance.
///
/// # Errors
/// The caller is neither the owner nor an administrator; bad parameters; there is no such seller; the database is
/// unavailable.
pub async fn overview(
    app: Shared<App>,
    own: ManagedSeller,
    Query(query): Query<AnalyticsQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let now_ms = now_ms();
    // The age of the account changes at midnight, whatever the period.
    let name = format!("overview:{}:{}", now_ms / DAY_MS, name_of(query, now_ms));
    respond(&app, &own, query, now_ms, &name, &conditions, async |seller, span| {
        let totals = app.sellers.store.totals(seller.id, span).await?;
        Ok(to_json(&Overview {
            seller_id: seller.id,
            business_name: seller.business_name,
            period: query.period.name(),
            start_date: span.start_ms,
            end_date: span.end_ms,
            total_products: seller.total_products,
            total_sales: totals.sales,
            total_revenue: totals.revenue,
            average_order_value: totals.average,
            rating: seller.rating,
            status: seller.status,
            verification_status: seller.verification_status,
            account_age_days: now_ms / DAY_MS - seller.created_at / DAY_MS,
            last_sale_at: totals.last_sale_ms,
        }))
    })
    .await
}

/// Returns the sales of each hour, day or month.
///
/// # Errors
/// As [`overview`].
pub async fn sales_trend(
    app: Shared<App>,
    own: ManagedSeller,
    Query(query): Query<AnalyticsQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let now_ms = now_ms();
    let name = format!("trend:{}", name_of(query, now_ms));
    respond(&app, &own, query, now_ms, &name, &conditions, async |seller, span| {
        Ok(to_json(&app.sellers.store.trend(seller.id, span, query.period.bucket()).await?))
    })
    .await
}

/// Returns the products with the highest revenue.
///
/// # Errors
/// As [`overview`].
pub async fn products(
    app: Shared<App>,
    own: ManagedSeller,
    Query(ProductsQuery { when, limit }): Query<ProductsQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let now_ms = now_ms();
    let name = format!("products:{limit}:{}", name_of(when, now_ms));
    respond(&app, &own, when, now_ms, &name, &conditions, async |seller, span| {
        Ok(to_json(&app.sellers.store.products(seller.id, span, limit).await?))
    })
    .await
}

/// Returns sums of money, also by category.
///
/// # Errors
/// As [`overview`].
pub async fn revenue(
    app: Shared<App>,
    own: ManagedSeller,
    Query(query): Query<AnalyticsQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let now_ms = now_ms();
    let name = format!("revenue:{}", name_of(query, now_ms));
    respond(&app, &own, query, now_ms, &name, &conditions, async |seller, span| {
        Ok(to_json(&app.sellers.store.revenue(seller.id, span).await?))
    })
    .await
}

/// The name of a cache entry for these parameters. Without dates the span ends with the current bucket, so a new bucket
/// is a new entry. The name does not need the first sale, where `all_time` starts: each sale makes the entry outdated.
fn name_of(query: AnalyticsQuery, now_ms: i64) -> String {
    let Span { start_ms, end_ms } = query.span(now_ms, now_ms);
    format!("{}:{start_ms}:{end_ms}", query.period.name())
}

/// Responds with the analytics under `name`: from the cache, or computed for the seller and the span.
async fn respond(
    app: &App,
    own: &ManagedSeller,
    query: AnalyticsQuery,
    now_ms: i64,
    name: &str,
    conditions: &Preconditions,
    compute: impl AsyncFnOnce(Seller, Span) -> Result<Vec<u8>, DatabaseError>,
) -> Result<Response, Problem> {
    let store = &app.sellers.store;
    let fetch = async || {
        let Some(seller) = store.find(own.id).await? else { return Ok(None) };
        let mut first_ms = seller.created_at;
        if query.period == Period::AllTime && query.dates.is_none() {
            first_ms = store.first_sale_ms(own.id).await?.map_or(first_ms, |sale| sale.min(first_ms));
        }
        compute(seller, query.span(now_ms, first_ms)).await.map(Some)
    };
    let found = app.sellers.analytics(own.id, own.owner, name, fetch).await.map_err(DatabaseError::into_problem)?;
    match found.value {
        Some(json) => responses::read(conditions, &ETag::of_bytes(&json), found.status, json),
        None => Err(problems::no_such_seller(own.id).with_header(cache_status(found.status))),
    }
}

fn now_ms() -> i64 {
    SpinRuntime.unix_ms().cast_signed()
}
