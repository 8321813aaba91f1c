//! The routes of the component. All of them need a token.

mod actions;
mod analytics;
mod counters;
mod edit;
mod health;
mod history;
mod list;
mod one_seller;
mod register;
mod sales;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, patch, post};
use http_api::{Caller, Problem, Shared, local, no_such_method, no_such_route, path, row_id};

use send_wrapper::SendWrapper;

use crate::app::App;

/// The extractor of the path parameter `id`.
pub struct SellerId(i64);

impl<S: Sync> FromRequestParts<S> for SellerId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::segment(parts.uri.path(), 1, "id", |id| row_id(&id)).map(Self)
    }
}

/// The extractor of a seller that the caller may manage, as its owner or as an administrator. Put it before the
/// extractor of the body: then others get 403 whatever they send.
pub struct ManagedSeller {
    /// The seller.
    pub id: i64,
    /// Its user.
    pub owner: i64,
}

impl FromRequestParts<Shared<App>> for ManagedSeller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared<App>) -> Result<Self, Problem> {
        let SellerId(id) = SellerId::from_request_parts(parts, app).await?;
        let caller = Caller::from_request_parts(parts, app).await?;
        let check = |owner| caller.require_self_or_admin(owner);
        let owner = SendWrapper::new(app.checked_owner(id, check)).await?;
        Ok(Self { id, owner })
    }
}

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let verifier = app.verifier.clone();
    let one = get(local(one_seller::show)).patch(local(edit::all)).delete(local(one_seller::remove));
    let routes = Router::new()
        .route("/sellers", get(local(list::list)).post(local(register::register)))
        .route("/sellers/pending-verification", get(local(list::pending)))
        .route("/sellers/health", get(local(health::show)))
        .route("/sellers/me", get(local(one_seller::show_own)))
        .route("/sellers/user/{userId}", get(local(one_seller::show_by_user)))
        .route("/sellers/{id}", one)
        .route("/sellers/{id}/profile", patch(local(edit::profile)))
        .route("/sellers/{id}/banking", patch(local(edit::banking)))
        .route("/sellers/{id}/verify", post(local(actions::verify)))
        .route("/sellers/{id}/approve", post(local(actions::approve)))
        .route("/sellers/{id}/reject", post(local(actions::reject)))
        .route("/sellers/{id}/suspend", post(local(actions::suspend)))
        .route("/sellers/{id}/reactivate", post(local(actions::reactivate)))
        .route("/sellers/{id}/history", get(local(history::show)))
        .route("/sellers/{id}/sales", post(local(sales::sell)))
        .route("/sellers/{id}/sales/{saleId}/refund", post(local(sales::refund)))
        .route("/sellers/{id}/products", post(local(counters::products)))
        .route("/sellers/{id}/reviews", post(local(counters::reviews)))
        .route("/sellers/{id}/analytics/overview", get(local(analytics::overview)))
        .route("/sellers/{id}/analytics/sales-trend", get(local(analytics::sales_trend)))
        .route("/sellers/{id}/analytics/products", get(local(analytics::products)))
        .route("/sellers/{id}/analytics/revenue", get(local(analytics::revenue)));
    verifier
        .guard(routes)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}
