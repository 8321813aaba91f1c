//! GET /users with users of the largest size: responses have at most 1 MiB, and requests that read one page at the same
//! time share the work, whether Redis answers or not.

use std::collections::HashSet;

use blackbox::{App, Response, until};
use tokio::task::JoinSet;

use super::{ids, next};

const PAGE_MAX_BYTES: usize = 1024 * 1024;
const REQUESTS: usize = 140;

/// Creates users of about 9.5 KB each. Returns their ids.
async fn given_large_users(app: &App, count: i64) -> Vec<i64> {
    let db = app.db().await;
    let sql = "INSERT INTO users (name, email, roles) SELECT repeat(U&'\\+010348', 255), 'u' || n || '@example.org', \
               (SELECT array_agg(repeat(U&'\\+010348', 62) || r) FROM generate_series(10, 41) r) \
               FROM generate_series(1, $1::bigint) n ORDER BY n RETURNING id";
    let rows = db.query(sql, &[&count]).await.expect("users are inserted");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Sends all requests for `path` at once; returns the responses and how many statements read users meanwhile.
async fn burst(app: &App, path: &str) -> (Vec<Response>, usize) {
    let before = app.database.statements().len();
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        requests.spawn(app.get(path).into_future());
    }
    let responses = requests.join_all().await;
    let statements = app.database.statements().split_off(before);
    (responses, statements.iter().filter(|sql| sql.contains("FROM users")).count())
}

/// In one of several bursts, at most a few requests query the database. All requests succeed in all of them.
async fn expect_few_statements(app: &App, path: &str, enough: usize) {
    let mut counts = Vec::new();
    while counts.last().is_none_or(|count| *count > enough) {
        assert!(counts.len() < 5, "{counts:?} statements for {REQUESTS} requests each");
        let (responses, statements) = burst(app, path).await;
        let statuses: HashSet<u16> = responses.iter().map(|response| response.status()).collect();
        assert_eq!(statuses, HashSet::from([200]), "{statements} statements");
        assert!(responses.iter().all(|response| response.text() == responses[0].text()), "the responses differ");
        counts.push(statements);
    }
    println!("{REQUESTS} requests each: {counts:?} statements");
}

#[tokio::test]
async fn a_page_has_at_most_one_mebibyte() {
    let app = App::spawn().await;
    given_large_users(&app, 300).await;
    let mut seen = Vec::new();
    let mut path = Some("/users?limit=1000".to_owned());
    while let Some(target) = path {
        let fresh = app.get(&target).await;
        assert!(fresh.status() == 200 && fresh.text().len() <= PAGE_MAX_BYTES, "{} bytes", fresh.text().len());
        let cached = app.get(&target).await;
        assert!(cached.is_hit() && cached.text() == fresh.text());
        let page = ids(&fresh.json());
        path = next(&fresh);
        assert!(path.is_none() || page.len() > 90, "a page that ends early is almost full");
        seen.extend(page);
    }
    assert!(seen.len() == 300 && seen.is_sorted(), "{seen:?}");
    assert_eq!(ids(&app.get("/users").await.json()).len(), 100, "a page of the default limit is never cut");
}

#[tokio::test]
async fn selected_users_have_at_most_one_mebibyte() {
    let app = App::spawn().await;
    let all = given_large_users(&app, 300).await;
    let wanted: Vec<String> = all.iter().chain(&[999_999]).map(i64::to_string).collect();
    let (mut seen, mut parts) = (Vec::new(), 0);
    let mut path = Some(format!("/users?ids={}", wanted.join(",")));
    while let Some(target) = path {
        let fresh = app.get(&target).await;
        assert!(fresh.status() == 200 && fresh.text().len() <= PAGE_MAX_BYTES, "{} bytes", fresh.text().len());
        let cached = app.get(&target).await;
        assert!(cached.text() == fresh.text() && next(&cached) == next(&fresh));
        let part = ids(&fresh.json());
        path = next(&fresh);
        assert!(path.is_none() || part.len() > 90, "a part that ends early is almost full");
        seen.extend(part);
        parts += 1;
    }
    assert_eq!((seen, parts), (all, 3));
}

#[tokio::test]
async fn many_requests_for_one_large_page_cost_few_statements() {
    let app = App::builder().default_deadlines().log_statements().spawn().await;
    given_large_users(&app, 1_000).await;
    let path = "/users?limit=1000";
    until("the page is cached", async || app.get(path).await.is_hit()).await;
    expect_few_statements(&app, path, 20).await;
}

/// Nobody knows whether the page is cached. So each instance queries the database, one request at a time.
#[tokio::test]
async fn many_requests_for_one_page_share_statements_while_redis_hangs() {
    let app = App::builder().default_deadlines().log_statements().spawn().await;
    given_large_users(&app, 200).await;
    let path = "/users?limit=1000";
    until("the page is cached", async || app.get(path).await.is_hit()).await;
    app.redis.pause();
    expect_few_statements(&app, path, REQUESTS / 3).await;
    app.redis.resume();
    until("the cache is used again", async || app.get(path).await.is_hit()).await;
}
