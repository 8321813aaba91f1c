//! Products and reviews, which other services report.

use axum::response::Response;
use http_api::{Admin, JsonBody, NoQuery, Problem, Shared};

use super::SellerId;
use crate::app::App;
use crate::reports::{ProductsChange, Review};
use crate::{problems, responses, seller_events};

/// `POST /sellers/:id/products`: adds to the number of products.
///
/// # Errors
/// The caller is no administrator; a bad body; there is no such seller; the number would be negative; the database is
/// unavailable.
pub async fn products(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    JsonBody(ProductsChange(change)): JsonBody<ProductsChange>,
) -> Result<Response, Problem> {
    let statement = async || app.sellers.store.add_products(id, change).await;
    let changed = app.sellers.change(id, statement).await;
    let seller = changed.map_err(|error| problems::write(error, id, problems::too_few_products))?;
    app.events.emit(seller_events::products_changed(&seller));
    Ok(responses::changed(&seller))
}

/// `POST /sellers/:id/reviews`: adds a review to the average.
///
/// # Errors
/// The caller is no administrator; a bad body; there is no such seller; the database is unavailable.
pub async fn reviews(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    JsonBody(Review(rating)): JsonBody<Review>,
) -> Result<Response, Problem> {
    let statement = async || app.sellers.store.add_review(id, rating).await;
    let changed = app.sellers.change(id, statement).await;
    let seller = changed.map_err(|error| problems::write(error, id, problems::never_refused))?;
    app.events.emit(seller_events::review_added(&seller));
    Ok(responses::changed(&seller))
}
