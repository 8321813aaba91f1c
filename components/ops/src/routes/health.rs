//! Health: `GET /health`, whether the service is alive, and `GET /health/ready`, whether it can do its work.

use std::pin::pin;
use std::time::Instant;

use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::{Either, join, select};
use http_api::response::{json, json_bytes, to_json};
use http_api::{NoQuery, Problem, Shared};
use ports::Runtime;
use serde::Serialize;
use serde_json::json;
use spin_adapter::SpinRuntime;

use crate::app::App;

/// How long one check may take, in ms. Both checks run at the same time, so the response comes within a second.
const CHECK_MS: u64 = 900;

/// Whether a server answers.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    status: &'static str,
    /// How long the answer took, in ms; null if there was none.
    latency_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    status: &'static str,
    redis: Check,
    postgres: Check,
}

/// Responds without asking another server. A response shows that the host and the component run.
pub async fn alive(_: NoQuery) -> Result<Response, Problem> {
    Ok(json(&json!({ "status": "ok" })))
}

/// Asks Redis and PostgreSQL. Without PostgreSQL the service cannot work: 503. Without Redis it is slower, and has no
/// locks: `degraded`, but 200.
pub async fn ready(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    let ping = async || app.service.client.call("PING", Vec::new()).await.map(drop).map_err(|error| error.to_string());
    let select_one =
        async || app.database.read("SELECT 1", Vec::new()).await.map(drop).map_err(|error| error.to_string());
    let (redis, postgres) = join(check("Redis", ping), check("PostgreSQL", select_one)).await;
    let report = Report { status: status_of(&redis, &postgres), redis, postgres };
    let code = if report.status == "error" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok(json_bytes(code, to_json(&report)))
}

async fn check(server: &str, ask: impl AsyncFnOnce() -> Result<(), String>) -> Check {
    let start = Instant::now();
    let answer = match select(pin!(ask()), pin!(SpinRuntime.sleep(CHECK_MS))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(format!("no answer within {CHECK_MS} ms")),
    };
    match answer {
        Ok(()) => {
            let ms = start.elapsed().as_secs_f64() * 1_000.0;
            Check { status: "up", latency_ms: Some((ms * 1_000.0).round() / 1_000.0) }
        }
        Err(reason) => {
            tracing::warn!(server, %reason, "a check of health failed");
            Check { status: "down", latency_ms: None }
        }
    }
}

fn status_of(redis: &Check, postgres: &Check) -> &'static str {
    match (redis.status, postgres.status) {
        (_, "down") => "error",
        ("down", _) => "degraded",
        _ => "ok",
    }
}
