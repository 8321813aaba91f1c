//! Requests that the locks service refuses. Each response names what is wrong, and nothing is locked.

use blackbox::{App, Response};
use reqwest::Method;
use serde_json::{Value, json};

use super::FOREIGN_TOKEN;

async fn post(app: &App, action: &str, body: impl Into<Vec<u8>>) -> Response {
    app.post(format!("/api/cache/lock/{action}")).json_text(body).await
}

async fn post_json(app: &App, action: &str, body: &Value) -> Response {
    app.post(format!("/api/cache/lock/{action}")).json(body).await
}

async fn expect_nothing_locked(app: &App) {
    assert_eq!(app.redis.keys().await, Vec::<String>::new());
}

/// For each route a body that it accepts.
fn good_bodies() -> [(&'static str, Value); 3] {
    [
        ("acquire", json!({"resource": "orders"})),
        ("release", json!({"key": "locks:orders", "token": FOREIGN_TOKEN})),
        ("extend", json!({"key": "locks:orders", "token": FOREIGN_TOKEN, "ttl": 1_000})),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let app = App::spawn().await;
    for (action, good) in good_bodies() {
        let cut = good.to_string().trim_end_matches('}').to_owned();
        for bad in ["", "{", "resource=orders", "{\"resource\": \"orders\",}", "{} {}", "{\"ttl\": 05}", &cut] {
            post(&app, action, bad).await.expect_problem(400, "malformed-json");
        }
        post(&app, action, b"{\"\xff\": 1}").await.expect_problem(400, "malformed-json");
        for other in [json!([]), json!("orders"), json!(null), json!(5), json!(["orders"])] {
            assert_eq!(post_json(&app, action, &other).await.expect_errors(422, "validation"), [""], "{other}");
        }
    }
    expect_nothing_locked(&app).await;
}

#[tokio::test]
async fn other_media_types_and_large_bodies_are_refused() {
    let app = App::spawn().await;
    for (action, good) in good_bodies() {
        for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let request = app.post(format!("/api/cache/lock/{action}")).header("content-type", media_type);
            let response = request.body(good.to_string()).await;
            assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-type"]);
            assert_eq!(response.header("accept-post"), "application/json");
        }
        let compressed = app.post(format!("/api/cache/lock/{action}")).header("content-encoding", "gzip");
        let response = compressed.json(&good).await;
        assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-encoding"]);
        assert_eq!(response.header("accept-encoding"), "identity");
        let padded = |size: usize| format!("{good}{}", " ".repeat(size - good.to_string().len()));
        let response = post(&app, action, padded(16 * 1024 + 1)).await;
        assert_eq!(response.expect_problem(413, "content-too-large")["limitBytes"], 16 * 1024);
        let request = app.post(format!("/api/cache/lock/{action}"));
        let request = request.header("content-type", "application/json; charset=utf-8");
        let largest = request.body(padded(16 * 1024)).await;
        assert_eq!(largest.status(), 200, "{largest:?}");
    }
}

#[tokio::test]
async fn an_invalid_member_of_acquire_is_refused_and_named() {
    let app = App::spawn().await;
    let long = "x".repeat(513);
    for (body, pointers) in [
        (json!({}), &["/resource"][..]),
        (json!({"ttl": 5_000}), &["/resource"]),
        (json!({"resource": ""}), &["/resource"]),
        (json!({"resource": long}), &["/resource"]),
        (json!({"resource": "é".repeat(257)}), &["/resource"]),
        (json!({"resource": 5}), &["/resource"]),
        (json!({"resource": null}), &["/resource"]),
        (json!({"resource": ["orders"]}), &["/resource"]),
        (json!({"resource": "orders", "resources": ["orders"]}), &["/resource", "/resources"]),
        (json!({"resources": []}), &["/resources"]),
        (json!({"resources": (0..17).map(|n| n.to_string()).collect::<Vec<_>>()}), &["/resources"]),
        (json!({"resources": "orders"}), &["/resources"]),
        (json!({"resources": null}), &["/resources"]),
        (json!({"resources": ["a", 5]}), &["/resources/1"]),
        (json!({"resources": ["a", ""]}), &["/resources/1"]),
        (json!({"resources": ["a", long]}), &["/resources/1"]),
        (json!({"resources": ["a", "b", "a", "b"]}), &["/resources/2", "/resources/3"]),
        (json!({"resource": "orders", "ttl": 0}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": -1}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": 1.5}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": "5s"}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": 1_000_000_000_000_u64}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": 9}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": 3_600_001}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": null}), &["/ttl"]),
        (json!({"resource": "orders", "ttl": 1e30}), &["/ttl"]),
        (json!({"resource": "orders", "wait": -1}), &["/wait"]),
        (json!({"resource": "orders", "wait": 0.5}), &["/wait"]),
        (json!({"resource": "orders", "wait": "1"}), &["/wait"]),
        (json!({"resource": "orders", "wait": 30_001}), &["/wait"]),
        (json!({"resource": "orders", "wait": null}), &["/wait"]),
        (json!({"resource": "orders", "token": FOREIGN_TOKEN}), &["/token"]),
        (json!({"resource": "orders", "a/b~c": 1}), &["/a~1b~0c"]),
        (json!({"resource": "", "ttl": 0, "wait": -1}), &["/resource", "/ttl", "/wait"]),
    ] {
        assert_eq!(post_json(&app, "acquire", &body).await.expect_errors(422, "validation"), pointers, "{body}");
    }
    let duplicate = r#"{"resource": "a", "resource": "b"}"#;
    post(&app, "acquire", duplicate).await.expect_problem(422, "validation");
    expect_nothing_locked(&app).await;
}

#[tokio::test]
async fn bounds_are_inclusive() {
    let app = App::spawn().await;
    for body in [
        json!({"resource": "x".repeat(512), "ttl": 3_600_000}),
        json!({"resource": "é".repeat(256), "ttl": 10}),
        json!({"resource": "orders", "wait": 30_000}),
        json!({"resource": "x", "wait": 0}),
        json!({"resources": (0..16).map(|n| n.to_string()).collect::<Vec<_>>()}),
    ] {
        let response = post_json(&app, "acquire", &body).await;
        // On a busy machine 10 ms may end before the response, and then the lock is not granted.
        let too_late = body["ttl"] == 10 && response.status() == 503;
        assert!(too_late || (response.status() == 200 && response.json()["acquired"] == true), "{body}: {response:?}");
    }
}

#[tokio::test]
async fn an_invalid_member_of_release_and_extend_is_refused_and_named() {
    let app = App::spawn().await;
    let bad = [
        ("key", json!(5)),
        ("key", json!(null)),
        ("token", json!("")),
        ("token", json!("x".repeat(129))),
        ("token", json!(5)),
        ("token", json!(null)),
        ("resource", json!("orders")),
    ];
    let bad_ttls = [json!(0), json!(-1), json!(1.5), json!("5s"), json!(1_000_000_000_000_u64), json!(null)];
    for (action, good) in good_bodies().into_iter().skip(1) {
        let ttls = bad_ttls.iter().map(|ttl| ("ttl", ttl.clone()));
        for (member, value) in bad.iter().cloned().chain(ttls) {
            let mut body = good.clone();
            body[member] = value;
            let response = post_json(&app, action, &body).await;
            assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{action} {body}");
        }
        let missing = post_json(&app, action, &json!({})).await.expect_errors(422, "validation");
        let all: Vec<_> = ["/key", "/token", "/ttl"].into_iter().take(good.as_object().unwrap().len()).collect();
        assert_eq!(missing, all);
    }
}

/// These routes change no other keys in Redis.
#[tokio::test]
async fn keys_that_are_not_locks_are_refused() {
    let app = App::spawn().await;
    let planted = ["user:version:1", "cache:entry:kv:get:a", "lock", "locks", "Locks:orders", "fencing:orders", ""];
    let long = format!("locks:{}", "x".repeat(513));
    for key in planted.into_iter().chain(["locks:", long.as_str(), " locks:orders", "locks"]) {
        app.redis.run(&["SET", key, FOREIGN_TOKEN]).await;
        let release = post_json(&app, "release", &json!({"key": key, "token": FOREIGN_TOKEN})).await;
        assert_eq!(release.expect_errors(400, "invalid-parameter"), ["/key"], "{key}");
        let extend = post_json(&app, "extend", &json!({"key": key, "token": FOREIGN_TOKEN, "ttl": 10})).await;
        assert_eq!(extend.expect_errors(400, "invalid-parameter"), ["/key"], "{key}");
        let left: i64 = app.redis.ask(&["PTTL", key]).await;
        assert_eq!(left, -1, "{key} was touched");
    }
}

#[tokio::test]
async fn invalid_paths_and_parameters_are_refused() {
    let app = App::spawn().await;
    let long = "x".repeat(513);
    for bad in ["", "%", "%2", "%zz", "%FF", "%C3", &long] {
        let shown = app.get(format!("/api/cache/lock/{bad}")).await;
        assert_eq!(shown.expect_errors(400, "invalid-parameter"), ["resource"], "{bad}");
        let broken = app.admin().delete(format!("/admin/locks/{bad}")).await;
        assert_eq!(broken.expect_errors(400, "invalid-parameter"), ["resource"], "{bad}");
    }
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=abc", "limit"),
        ("?limit=", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?cursor=abc%20", "cursor"),
        ("?cursor=", "cursor"),
        ("?cursor=-1", "cursor"),
        ("?pattern=*", "pattern"),
    ] {
        let response = app.admin().get(format!("/admin/locks{query}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused() {
    let app = App::spawn().await;
    for path in ["/api/cache/lock/a/b", "/api/cache/lock", "/admin/locks/a/b"] {
        let response = app.admin().get(path).await;
        response.expect_problem(404, "not-found");
        assert_eq!(response.header("cache-control"), "no-store");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/api/cache/lock/acquire", "GET,HEAD,POST"),
        (Method::PUT, "/api/cache/lock/release", "GET,HEAD,POST"),
        (Method::POST, "/api/cache/lock/orders", "GET,HEAD"),
        (Method::DELETE, "/api/cache/lock/orders", "GET,HEAD"),
        (Method::POST, "/admin/locks", "GET,HEAD"),
        (Method::GET, "/admin/locks/orders", "DELETE"),
    ] {
        let response = app.admin().request(method.clone(), path).await;
        response.expect_problem(405, "method-not-allowed");
        let mut allowed: Vec<_> = response.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{method} {path}");
    }
}

/// The cache takes its `ttl` in the query string. Here, where it belongs into the body, it must not be ignored.
#[tokio::test]
async fn routes_without_parameters_refuse_parameters() {
    let app = App::spawn().await;
    let body = json!({"resource": "a"});
    for (method, path) in [
        (Method::POST, "/api/cache/lock/acquire?ttl=60000"),
        (Method::POST, "/api/cache/lock/release?ttl=60000"),
        (Method::POST, "/api/cache/lock/extend?ttl=60000"),
        (Method::GET, "/api/cache/lock/a?ttl=60000"),
        (Method::DELETE, "/admin/locks/a?ttl=60000"),
    ] {
        let response = app.admin().request(method.clone(), path).json(&body).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["ttl"], "{method} {path}");
    }
    expect_nothing_locked(&app).await;
}
