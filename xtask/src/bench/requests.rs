//! The requests that are measured with wrk, beside an empty component and Redis alone.

use anyhow::{Result, ensure};
use dev_servers::RedisServer;

use super::application::Place;
use super::measure::{self, Load, Row};
use super::{Options, http};

/// Users in the database, and so in the list.
pub const USERS: i32 = 100;
/// Instances that live longer and do more at once than by default (128 requests, 16 at once), which is Spin's.
const LONG_LIVED: [&str; 4] = ["--max-instance-reuse-count", "1000", "--max-instance-concurrent-reuse-count", "64"];

/// Measures all rows.
///
/// # Errors
/// If something answers other than it should: a wrong answer is never measured.
pub async fn rows(place: &Place, options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    empty(place, options, &mut rows).await?;
    users(place, options, &mut rows).await?;
    cache(place, options, &mut rows).await?;
    uncached(place, options, &mut rows).await?;
    rows.push(raw_redis(options).await?);
    Ok(rows)
}

async fn empty(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("bench/spin.toml", &[]).await?;
    http::expect(app.address(), "/empty", &[], 200)?;
    rows.push(measure::row("empty component", &app, options, &Load::get("/empty"))?);
    drop(app);
    let app = place.start("bench/spin.toml", &LONG_LIVED).await?;
    rows.push(measure::row("empty component, long-lived", &app, options, &Load::get("/empty"))?);
    Ok(())
}

async fn users(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("spin.toml", &[]).await?;
    let user = http::expect(app.address(), "/users/1", &[], 200)?;
    let cached = http::expect(app.address(), "/users/1", &[], 200)?;
    expect_hit(&cached)?;
    rows.push(measure::row("GET /users/:id, cached", &app, options, &Load::get("/users/1"))?);
    let etag = user.header("etag").unwrap_or_default();
    http::expect(app.address(), "/users/1", &[("if-none-match", etag)], 304)?;
    let load = Load::get("/users/1").header("if-none-match", etag);
    rows.push(measure::row("GET /users/:id, If-None-Match (304)", &app, options, &load)?);
    rows.push(measure::row(&format!("GET /users, {USERS} users, cached"), &app, options, &Load::get("/users"))?);
    rows.push(measure::row("PUT /users/:id", &app, options, &Load::put_users(USERS))?);
    drop(app);
    let app = place.start("spin.toml", &LONG_LIVED).await?;
    http::expect(app.address(), "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cached, long-lived", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

/// As many bytes as a user has.
async fn cache(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("spin.toml", &[]).await?;
    const PATH: &str = "/api/cache/user:1:profile";
    let value = format!(r#"{{"name":"{}"}}"#, "x".repeat(200));
    http::Client::connect(app.address())?.send("PUT", &format!("{PATH}?ttl=100000"), &[], &value, 200)?;
    expect_hit(&http::expect(app.address(), PATH, &[], 200)?)?;
    rows.push(measure::row("GET /api/cache/:key, hit", &app, options, &Load::get(PATH))?);
    Ok(())
}

async fn uncached(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = place.start("spin.toml", &["--variable", "cache_enabled=false"]).await?;
    http::expect(app.address(), "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cache off", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

/// What Redis itself can do with the command that a hit costs.
async fn raw_redis(options: &Options) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let redis = RedisServer::start(folder.path()).await?;
    measure::redis(&redis, options)
}

fn expect_hit(answer: &http::Answer) -> Result<()> {
    let is_hit = answer.header("cache-status").is_some_and(|status| status.contains("hit"));
    ensure!(is_hit, "not cached: {answer:?}");
    Ok(())
}
