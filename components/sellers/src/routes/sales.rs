//! Sales and refunds, which other services report.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use http_api::response::{json, to_json};
use http_api::{Admin, JsonBody, NoQuery, Problem, Shared, path, row_id};
use ports::Runtime;
use spin_adapter::SpinRuntime;
use spin_adapter::cache::write_problem;
use spin_adapter::postgres::DatabaseError;
use versioned_cache::WriteError;

use super::SellerId;
use crate::app::App;
use crate::idempotency_key::SentKey;
use crate::sale::NewSale;
use crate::store::{RefundOutcome, SaleOutcome};
use crate::{problems, responses, seller_events};

/// The extractor of the path parameter `saleId`.
pub struct SaleId(i64);

impl<S: Sync> FromRequestParts<S> for SaleId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::segment(parts.uri.path(), 3, "saleId", |id| row_id(&id)).map(Self)
    }
}

/// Records a sale. With an `Idempotency-Key` it is safe to send the request again.
///
/// # Errors
/// The caller is no administrator; a bad body or key; there is no such seller; its sales have another currency; the key
/// was used for another body; the database is unavailable.
pub async fn sell(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    _: NoQuery,
    key: SentKey,
    JsonBody(sale): JsonBody<NewSale>,
) -> Result<Response, Problem> {
    sale.check_not_in_future(SpinRuntime.unix_ms().cast_signed())?;
    let key = key.with(&sale);
    let statement = async || app.sellers.store.sell(id, &sale, key.as_ref()).await;
    match app.sellers.change(id, statement).await.map_err(failed)? {
        SaleOutcome::Recorded(sale, version) => {
            app.events.emit(seller_events::sale_recorded(id, version, sale.id));
            Ok(responses::recorded(to_json(&sale)))
        }
        SaleOutcome::RecordedBefore(sale) => Ok(responses::recorded(to_json(&sale.before_refund()))),
        SaleOutcome::KeyReused => Err(problems::key_reused()),
        SaleOutcome::OtherCurrency(currency) => Err(problems::other_currency(&currency)),
        SaleOutcome::NoSuchSeller => Err(problems::no_such_seller(id)),
    }
}

/// Refunds a sale.
///
/// # Errors
/// The caller is no administrator; there is no such seller or sale; the sale is refunded already; the database is
/// unavailable.
pub async fn refund(
    app: Shared<App>,
    _: Admin,
    SellerId(id): SellerId,
    SaleId(sale): SaleId,
    _: NoQuery,
) -> Result<Response, Problem> {
    let statement = async || app.sellers.store.refund(id, sale).await;
    match app.sellers.change(id, statement).await.map_err(failed)? {
        RefundOutcome::Refunded(sale, version) => {
            app.events.emit(seller_events::sale_refunded(id, version, sale.id));
            Ok(json(&sale))
        }
        RefundOutcome::AlreadyRefunded => Err(problems::already_refunded(sale)),
        RefundOutcome::NoSuchSale => Err(problems::no_such_sale(id, sale)),
        RefundOutcome::NoSuchSeller => Err(problems::no_such_seller(id)),
    }
}

fn failed(error: WriteError<DatabaseError>) -> Problem {
    write_problem(error, DatabaseError::into_write_problem)
}
