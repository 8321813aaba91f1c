//! The requests under load; for comparison, an empty component and Redis alone.

use anyhow::Result;
use dev_servers::RedisServer;

use super::application::Environment;
use super::http;
use super::measure::{self, Row};
use super::options::Options;
use super::wrk::Load;

/// The number of users in the database, all on one page of the list.
pub const USERS: i64 = 100;
/// Instances that serve more requests than by default (as Spin: 128 requests, 16 at the same time).
const LONG_LIVED: [&str; 4] = ["--max-instance-reuse-count", "1000", "--max-instance-concurrent-reuse-count", "64"];

/// Measures all rows.
///
/// # Errors
/// If a response is wrong: wrong responses are not measured.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    empty(environment, options, &mut rows).await?;
    users(environment, options, &mut rows).await?;
    cache(environment, options, &mut rows).await?;
    uncached(environment, options, &mut rows).await?;
    rows.push(raw_redis(options).await?);
    Ok(rows)
}

async fn empty(environment: &Environment, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = environment.start("bench/spin.toml", &[]).await?;
    http::get(&app.address, "/empty", &[], 200)?;
    rows.push(measure::row("empty component", &app, options, &Load::get("/empty"))?);
    drop(app);
    let app = environment.start("bench/spin.toml", &LONG_LIVED).await?;
    rows.push(measure::row("empty component, long-lived", &app, options, &Load::get("/empty"))?);
    Ok(())
}

async fn users(environment: &Environment, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = environment.start("spin.toml", &[]).await?;
    let user = http::get(&app.address, "/users/1", &[], 200)?;
    let cached = http::get(&app.address, "/users/1", &[], 200)?;
    cached.expect_hit()?;
    rows.push(measure::row("GET /users/:id, cached", &app, options, &Load::get("/users/1"))?);
    let etag = user.header("etag").unwrap_or_default();
    http::get(&app.address, "/users/1", &[("if-none-match", etag)], 304)?;
    let load = Load::get("/users/1").header("if-none-match", etag);
    rows.push(measure::row("GET /users/:id, If-None-Match (304)", &app, options, &load)?);
    rows.push(measure::row(&format!("GET /users, {USERS} users, cached"), &app, options, &Load::get("/users"))?);
    rows.push(measure::row("PUT /users/:id", &app, options, &Load::put_users(USERS))?);
    drop(app);
    let app = environment.start("spin.toml", &LONG_LIVED).await?;
    http::get(&app.address, "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cached, long-lived", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

/// A value of about the size of a user.
async fn cache(environment: &Environment, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = environment.start("spin.toml", &[]).await?;
    const PATH: &str = "/api/cache/user:1:profile";
    let value = format!(r#"{{"name":"{}"}}"#, "x".repeat(200));
    http::Client::connect(&app.address)?.send("PUT", &format!("{PATH}?ttl=100000"), &[], &value, 200)?;
    http::get(&app.address, PATH, &[], 200)?.expect_hit()?;
    rows.push(measure::row("GET /api/cache/:key, hit", &app, options, &Load::get(PATH))?);
    Ok(())
}

async fn uncached(environment: &Environment, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let app = environment.start("spin.toml", &["--variable", "cache_enabled=false"]).await?;
    http::get(&app.address, "/users/1", &[], 200)?;
    rows.push(measure::row("GET /users/:id, cache off", &app, options, &Load::get("/users/1"))?);
    Ok(())
}

/// Redis alone, with the command of a cache hit.
async fn raw_redis(options: &Options) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let redis = RedisServer::start(folder.path()).await?;
    measure::redis(&redis, options)
}
