//! Sellers under load: a cached read, registrations, and sales of one seller. Each request has a JSON Web Token.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::application::{Application, Environment, JWT_SECRET};
use super::clients;
use super::http::{self, Client};
use super::measure::{Row, Subject, alternating, seconds_of_a_row};
use super::options::Options;
use super::requests::USERS;
use super::wrk::Load;
use crate::token;

/// The user of the seller that is read, and another user, who reads it.
const OWNER: i64 = 1;
const READER: i64 = 2;
/// Each registration needs a new user. So many users are created for each second; a faster run fails.
const REGISTRATIONS_PER_SECOND_MAX: u64 = 10_000;
/// Longer than the benchmark.
const TOKEN_S: u32 = 24 * 60 * 60;
const SELLER: &str = r#"{"businessName":"Analytical Engines","businessType":"llc","businessEmail":"ada@example.org"}"#;
const SALE: &str = r#"{"amount":12.50,"productId":"engine","category":"machines"}"#;

/// Measures all rows.
///
/// # Errors
/// If a response is wrong: wrong responses are not measured.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Row>> {
    let new = (seconds_of_a_row(options) * REGISTRATIONS_PER_SECOND_MAX).cast_signed();
    environment.create_users(USERS + 1..=USERS + new).await?;
    let app = environment.start("spin.toml", &[]).await?;

    let created = register(&mut Client::connect(&app.address)?, OWNER)?;
    let path = created.header("location").context("the response to a registration has no Location")?;
    let reader = bearer(READER, &[])?;
    http::get(&app.address, path, &[("authorization", &reader)], 200)?;
    http::get(&app.address, path, &[("authorization", &reader)], 200)?.expect_hit()?;
    let load = Load::get(path).header("authorization", &reader);

    let next = AtomicI64::new(USERS + 1);
    let registration = |client: &mut Client| {
        let user = next.fetch_add(1, Ordering::Relaxed);
        ensure!(user <= USERS + new, "more than {REGISTRATIONS_PER_SECOND_MAX} registrations per second");
        register(client, user).map(drop)
    };
    let (admin, sales) = (bearer(READER, &["admin".into()])?, format!("{path}/sales"));
    let sale = |client: &mut Client| client.send("POST", &sales, &[("authorization", &admin)], SALE, 201).map(drop);
    let subjects = [
        Subject::load("GET /sellers/:id, cached", &app, options, load),
        subject("POST /sellers", &app, options, registration),
        subject("POST /sellers/:id/sales, one seller", &app, options, sale),
    ];
    alternating(&subjects, options)
}

/// Clients of which each calls `send` again and again.
fn subject<'a>(
    name: &str,
    app: &'a Application,
    options: &'a Options,
    send: impl Fn(&mut Client) -> Result<()> + Sync + 'a,
) -> Subject<'a> {
    let run = move |seconds| clients::run(options.connections, seconds, |_, until| repeat(&app.address, until, &send));
    Subject { name: name.into(), build: "", processes: app.processes, run: Box::new(run) }
}

/// Sends requests on one connection until the time is up; returns how long each took.
fn repeat(address: &str, until: Instant, send: impl Fn(&mut Client) -> Result<()>) -> Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        send(&mut client)?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

/// Registers a user as a seller.
fn register(client: &mut Client, user: i64) -> Result<http::Response> {
    client.send("POST", "/sellers", &[("authorization", &bearer(user, &[])?)], SELLER, 201)
}

fn bearer(user: i64, roles: &[String]) -> Result<String> {
    Ok(format!("Bearer {}", token::signed(&token::claims(user, roles, TOKEN_S)?, JWT_SECRET)?))
}
