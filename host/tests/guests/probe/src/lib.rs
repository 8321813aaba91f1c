//! Does whatever a test of the host asks it to: `/trap`, `/spin`, `/sleep?ms=50`, `/allocate?mib=200` …

mod databases;
mod misbehaviour;
mod outside;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{Error, IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::Response as WasiResponse;

/// Requests that this instance has answered.
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// Pieces of work that went on after an answer and were finished.
static FINISHED: AtomicU32 = AtomicU32::new(0);

/// The query of a request, undecoded.
struct Query(HashMap<String, String>);

impl Query {
    fn of(request: &Request) -> Self {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        Self(pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

#[http_service]
async fn handle(request: Request) -> Result<WasiResponse, Error> {
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    let query = Query::of(&request);
    let path = request.headers()["spin-path-info"].to_str().unwrap_or_default().to_owned();
    let answer = match path.as_str() {
        "/hello" => "hello".into_response(),
        "/count" => counts().into_response(),
        "/headers" => headers(&request).into_response(),
        "/print" => print().into_response(),
        "/environment" => std::env::var(query.text("name")).unwrap_or_default().into_response(),
        "/length" => request.into_body().bytes().await?.len().to_string().into_response(),
        "/sleep" => {
            spin_sdk::time::sleep(Duration::from_millis(query.number("ms"))).await;
            "slept".into_response()
        }
        "/later" => later(query.number("ms")).into_response(),
        "/trap" | "/spin" | "/allocate" | "/stream" | "/stream-trap" | "/error" => {
            misbehaviour::answer(&path, &query).await
        }
        "/variable" => outside::variable(query.text("name")).await.into_response(),
        "/fetch" => outside::fetch(query.text("url")).await.into_response(),
        "/redis" => databases::redis().await.into_response(),
        "/redis-wait" => databases::redis_wait().await.into_response(),
        "/postgres" => databases::postgres().await.into_response(),
        "/postgres-errors" => databases::postgres_errors().await.into_response(),
        _ => spin_sdk::http::StatusCode::NOT_FOUND.into_response(),
    };
    Ok(answer?)
}

/// How often this instance was called, and what it has finished after its answers.
fn counts() -> String {
    format!("{} {}", ANSWERED.load(Ordering::Relaxed), FINISHED.load(Ordering::Relaxed))
}

fn headers(request: &Request) -> String {
    let fields: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    format!("{} {}\n{}", request.method(), request.uri(), fields.join("\n"))
}

fn print() -> &'static str {
    println!("on standard output");
    eprintln!("on standard error");
    "printed"
}

/// Answers at once and works on for a while.
fn later(milliseconds: u64) -> &'static str {
    spin_sdk::wasip3::spawn(async move {
        spin_sdk::time::sleep(Duration::from_millis(milliseconds)).await;
        FINISHED.fetch_add(1, Ordering::Relaxed);
        eprintln!("finished later");
    });
    "answered"
}
