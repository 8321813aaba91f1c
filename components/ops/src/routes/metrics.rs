//! `GET /metrics`: the counters of all components and instances, for a Prometheus server.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join;
use http_api::{Kind, NoQuery, Problem, Shared};
use spin_adapter::METRICS;

use crate::app::App;
use crate::metrics;

/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all metrics.
///
/// # Errors
/// Redis, which has the counters, is unavailable.
pub async fn show(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    let (counters, cache) = try_join(app.service.counters.read(METRICS), app.cache.stats()).await.map_err(|error| {
        tracing::warn!(%error, "the counters could not be read");
        Problem::new(Kind::Unavailable, "The counters are unavailable.")
    })?;
    let text = metrics::text(&counters, &cache).map_err(Problem::internal)?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}
