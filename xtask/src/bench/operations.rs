//! What it costs to operate the service: a cached read with and without a log, a rate limit and checks of the cache.

use anyhow::Result;

use super::application::Environment;
use super::http;
use super::measure::{Row, Subject, alternating};
use super::options::Options;
use super::wrk::Load;

/// The rows, and the variables of each. The log goes to a file.
const ROWS: [(&str, &[&str]); 4] = [
    ("no log", &["log_level=off", "cache_verify_ratio=0"]),
    ("a log line for each request", &["log_level=info", "cache_verify_ratio=0"]),
    ("no log, a rate limit that refuses nothing", &["log_level=off", "cache_verify_ratio=0", "rate_limit=1000000/1s"]),
    ("no log, 1 of 1,000 hits is checked", &["log_level=off", "cache_verify_ratio=0.001"]),
];

/// Measures all rows.
///
/// # Errors
/// If a response is wrong: wrong responses are not measured.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Row>> {
    let mut apps = Vec::new();
    for (name, variables) in ROWS {
        let args: Vec<&str> = variables.iter().flat_map(|variable| ["--variable", variable]).collect();
        let app = environment.start_logging("spin.toml", &args).await?;
        http::get(&app.address, "/users/1", &[], 200)?;
        http::get(&app.address, "/users/1", &[], 200)?.expect_hit()?;
        apps.push((name, app));
    }
    let subjects: Vec<Subject> =
        apps.iter().map(|(name, app)| Subject::load(*name, app, options, Load::get("/users/1"))).collect();
    alternating(&subjects, options)
}
