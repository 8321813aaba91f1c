//! Does what a test of the host asks for: `/trap`, `/spin`, `/fetch?url=…`, `/allocate?mib=200` …

mod databases;
mod misbehaviour;
mod outside;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{Error, IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::Response as WasiResponse;

/// Requests of this instance.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

/// Work that this instance has finished after a response.
static FINISHED: AtomicU32 = AtomicU32::new(0);

/// The query of a request, not decoded.
#[derive(Clone)]
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

    fn has_wait(&self) -> bool {
        ["url", "ms"].iter().any(|name| self.0.contains_key(*name))
    }

    /// Waits: `url=…` for a response from there, `ms=…` for a time.
    async fn wait(&self) {
        if self.0.contains_key("url") {
            outside::fetch(self.text("url")).await;
        } else {
            spin_sdk::time::sleep(Duration::from_millis(self.number("ms"))).await;
        }
    }
}

#[http_service]
async fn handle(request: Request) -> Result<WasiResponse, Error> {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    let query = Query::of(&request);
    let path = request.headers()["spin-path-info"].to_str().unwrap_or_default().to_owned();
    let response = match path.as_str() {
        "/hello" => "hello".into_response(),
        "/count" => counts().into_response(),
        "/headers" => headers(&request).into_response(),
        "/print" => print().into_response(),
        "/terminal" => terminal().into_response(),
        "/environment" => std::env::var(query.text("name")).unwrap_or_default().into_response(),
        "/length" => request.into_body().bytes().await?.len().to_string().into_response(),
        "/later" => later(query).into_response(),
        "/trap" | "/spin" | "/allocate" | "/stream" | "/stream-trap" | "/error" => {
            misbehaviour::respond(&path, &query).await
        }
        "/variable" => outside::variable(query.text("name")).await.into_response(),
        "/fetch" => outside::fetch(query.text("url")).await.into_response(),
        "/redis" => databases::redis().await.into_response(),
        "/redis-wait" => databases::redis_wait().await.into_response(),
        "/postgres" => databases::postgres().await.into_response(),
        "/postgres-errors" => databases::postgres_errors().await.into_response(),
        _ => spin_sdk::http::StatusCode::NOT_FOUND.into_response(),
    };
    Ok(response?)
}

/// How many requests this instance has had, and how much work it has finished after its responses.
fn counts() -> String {
    format!("{} {}", REQUESTS.load(Ordering::Relaxed), FINISHED.load(Ordering::Relaxed))
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

/// Whether standard output and standard error are terminals.
fn terminal() -> String {
    format!("{} {}", std::io::stdout().is_terminal(), std::io::stderr().is_terminal())
}

/// Responds at once; waits in the background.
fn later(query: Query) -> &'static str {
    spin_sdk::wasip3::spawn(async move {
        query.wait().await;
        FINISHED.fetch_add(1, Ordering::Relaxed);
        eprintln!("finished later");
    });
    "answered"
}
