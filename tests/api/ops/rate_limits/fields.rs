//! The header fields `RateLimit-Policy` and `RateLimit`, and refusals: 429 with `Retry-After`.

use std::time::Duration;

use blackbox::{App, until};

use super::{DAY_S, builder, expect_refused, expect_unlimited, limit, limited, now_ms, policy, remaining};

const PATHS: [&str; 5] = ["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/users/no/such/route"];

#[tokio::test]
async fn by_default_nothing_is_limited() {
    let app = App::spawn().await;
    for path in PATHS {
        for _ in 0..5 {
            expect_unlimited(&app.get(path).await);
        }
    }
    let keys = app.redis.keys().await;
    assert!(!keys.iter().any(|key| key.starts_with("ratelimit")), "{keys:?}");
}

#[tokio::test]
async fn each_response_says_what_is_left() {
    let app = limited(6).await;
    for left in (1..6).rev() {
        let response = app.get(PATHS[left as usize % PATHS.len()]).await;
        assert!([200, 401, 404].contains(&response.status()), "{response:?}");
        assert_eq!(policy(&response), Some(("default".to_owned(), 6, DAY_S)));
        let (class, found, reset) = limit(&response).unwrap();
        assert_eq!((class.as_str(), found), ("default", left), "{response:?}");
        // Until the window ends.
        let end = DAY_S - now_ms() / 1_000 % DAY_S;
        assert!((end..=end + 60).contains(&reset), "{reset} of {end} s");
    }
    assert_eq!(remaining(&app.get("/users").await, "default"), 0);
    for path in PATHS {
        expect_refused(&app.get(path).await, "default");
    }
    // Also a request that would be refused for another reason.
    expect_refused(&app.get("/users?limit=0").await, "default");
    expect_refused(&app.post("/users").json_text("{").await, "default");
    expect_refused(&app.delete("/admin/cache").await, "default");
    let head = app.head("/users").await;
    assert_eq!((head.status(), head.text()), (429, ""));
}

#[tokio::test]
async fn requests_that_fail_count_too() {
    let app = limited(5).await;
    let sequence = [
        (app.get("/users/no/such/route"), 404),
        (app.get("/sellers"), 401),
        (app.get("/admin/locks"), 401),
        (app.put("/users"), 405),
        (app.get("/users?limit=0"), 400),
    ];
    for (left, (request, status)) in (0..5).rev().zip(sequence) {
        let response = request.await;
        assert_eq!((response.status(), remaining(&response, "default")), (status, left), "{response:?}");
    }
    expect_refused(&app.get("/users").await, "default");
}

#[tokio::test]
async fn windows_are_given_in_seconds() {
    for (text, window_s) in [("5/1s", 1), ("5/90s", 90), ("5/1m", 60), ("1000000/2h", 7_200)] {
        let app = App::builder().variable("rate_limit", text).spawn().await;
        let quota = text.split('/').next().unwrap().parse().unwrap();
        assert_eq!(policy(&app.get("/users").await), Some(("default".to_owned(), quota, window_s)), "{text}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_retry_after_may_go_on() {
    let app = App::builder().variable("rate_limit", "3/2s").spawn().await;
    for _ in 0..3 {
        let mut retry_s = 0;
        until("the quota is used up", async || {
            let response = app.get("/users").await;
            if response.status() == 429 {
                expect_refused(&response, "default");
                retry_s = response.header("retry-after").parse().unwrap();
            }
            response.status() == 429
        })
        .await;
        assert!((1..=4).contains(&retry_s), "{retry_s} s in a window of 2 s");
        tokio::time::sleep(Duration::from_secs(retry_s)).await;
        assert_eq!(app.get("/users").await.status(), 200, "after {retry_s} s");
    }
}

#[tokio::test]
async fn refused_requests_use_no_quota() {
    let app = App::builder().variable("rate_limit", "2/2s").spawn().await;
    // If they did, a client that never stops asking would be refused for ever.
    for _ in 0..4 {
        until("the quota is used up", async || app.get("/users").await.status() == 429).await;
        until("the client may go on", async || app.get("/users").await.status() == 200).await;
    }
}

#[tokio::test]
async fn two_hosts_and_all_their_instances_share_the_quotas() {
    let app = builder(6).await.instance_per_request().spawn().await;
    let (_host, other) = app.second_host().await;
    for left in [5, 3, 1] {
        assert_eq!(remaining(&app.get("/users").await, "default"), left);
        assert_eq!(remaining(&other.get("/api/cache/a").await, "default"), left - 1);
    }
    expect_refused(&app.get("/users").await, "default");
    expect_refused(&other.get("/users").await, "default");
}

#[tokio::test]
async fn of_many_requests_at_once_exactly_the_quota_passes() {
    const QUOTA: usize = 10;
    let app = limited(QUOTA as u64).await;
    let (_host, other) = app.second_host().await;
    let requests = (0..5 * QUOTA).map(|number| {
        let api = if number % 2 == 0 { &app.api } else { &other };
        api.get("/users").into_future()
    });
    let responses = futures_util::future::join_all(requests).await;
    let passed = responses.iter().filter(|response| response.status() == 200).count();
    let refused = responses.iter().filter(|response| response.status() == 429).count();
    assert_eq!((passed, refused), (QUOTA, 4 * QUOTA));
}
