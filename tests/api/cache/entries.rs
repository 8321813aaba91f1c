//! /api/cache/entries/:module/:operation: entries by module, operation, parameters and user.

use blackbox::{App, Origin, Reply, percent_encoded};
use reqwest::Method;
use serde_json::{Value, json};

use super::stats;

const LIST: &str = "/api/cache/entries/posts/list";

async fn put(app: &App, target: &str, value: Value) {
    let response = app.put(format!("/api/cache/entries/{target}")).json(&value).await;
    assert_eq!(response.expect_ok()["stored"], true, "{target}");
}

async fn is_cached(app: &App, target: &str) -> bool {
    let response = app.get(format!("/api/cache/entries/{target}")).await;
    assert!([200, 404].contains(&response.status()), "{response:?}");
    response.status() == 200
}

#[tokio::test]
async fn a_value_is_stored_read_and_removed() {
    let app = App::spawn().await;
    let path = format!("{LIST}?page=1&tag=a&tag=b");
    app.get(&path).await.expect_problem(404, "not-found");
    assert_eq!(app.head(&path).await.status(), 404);
    let put = app.put(&path).json_text("[1.10, null]").await;
    assert_eq!(put.expect_ok(), json!({"module": "posts", "operation": "list", "stored": true, "ttl": 300}));
    // The order of names does not matter, and that of the values of one name does.
    for same in ["page=1&tag=a&tag=b", "tag=a&page=1&tag=b", "%70age=1&&tag=a&tag=%62&"] {
        let got = app.get(format!("{LIST}?{same}")).await;
        assert!(got.is_hit() && (290..=300).contains(&got.ttl()), "{got:?}");
        assert_eq!(got.text(), r#"{"module":"posts","operation":"list","value":[1.10, null]}"#);
        assert_eq!(app.head(format!("{LIST}?{same}")).await.header("etag"), got.header("etag"));
    }
    for other in ["page=1&tag=b&tag=a", "page=1&tag=a", "page=2&tag=a&tag=b", "", "page=1&tag=a&tag=b&x="] {
        app.get(format!("{LIST}?{other}")).await.expect_problem(404, "not-found");
    }
    app.get("/api/cache/entries/posts/get?page=1&tag=a&tag=b").await.expect_problem(404, "not-found");
    for deleted in [true, false] {
        let response = app.delete(&path).await;
        assert_eq!(response.expect_ok(), json!({"module": "posts", "operation": "list", "deleted": deleted}));
    }
    app.get(&path).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn an_entry_of_one_user_is_never_read_for_another() {
    let app = App::spawn().await;
    let users = ["user-123", "user-12", "1", "01", "a:b", "a%3Ab", "ü *", "u1", &"x".repeat(128)];
    let path = |user: &str| format!("posts/list?page=1&_user={}", percent_encoded(user));
    put(&app, "posts/list?page=1", json!("everybody")).await;
    for user in users {
        assert!(!is_cached(&app, &path(user)).await, "{user}");
        put(&app, &path(user), json!(user)).await;
    }
    for user in users {
        assert_eq!(app.get(format!("/api/cache/entries/{}", path(user))).await.expect_ok()["value"], user);
    }
    assert_eq!(app.get(format!("{LIST}?page=1")).await.expect_ok()["value"], "everybody");
    // Each is invalidated alone, in both forms.
    for (at, user) in users.into_iter().enumerate() {
        let invalidated = if at % 2 == 0 {
            app.admin().delete(format!("/admin/cache/user/{}", percent_encoded(user))).await
        } else {
            app.post("/api/cache/invalidate").json(json!({"userId": user})).await
        };
        assert_eq!(invalidated.expect_ok()["invalidated"], 1, "{user}");
        for (other_at, other) in users.into_iter().enumerate() {
            assert_eq!(is_cached(&app, &path(other)).await, other_at > at, "{other} after {user}");
        }
    }
    assert!(is_cached(&app, "posts/list?page=1").await);
}

#[tokio::test]
async fn a_change_of_a_user_outdates_the_entries_of_the_user() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    for id in [ada, bob] {
        put(&app, &format!("posts/list?_user={id}"), json!(id)).await;
    }
    app.patch(format!("/users/{ada}")).json(json!({"name": "Ada L."})).await.expect_ok();
    assert!(!is_cached(&app, &format!("posts/list?_user={ada}")).await);
    assert!(is_cached(&app, &format!("posts/list?_user={bob}")).await);
}

#[tokio::test]
async fn invalidation_and_statistics_know_them_and_forget_them() {
    let app = App::spawn().await;
    for target in ["posts/list?page=1", "posts/list?page=2", "posts/get?id=1", "photos/list"] {
        put(&app, target, json!(1)).await;
        assert!(is_cached(&app, target).await);
    }
    let listed = app.admin().get("/admin/cache/entries?module=posts").await.expect_ok();
    let listed: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|entry| &entry["operation"]).collect();
    assert_eq!(listed, ["get", "list", "list"]);
    let before = stats(&app).await;
    let totals =
        |stats: &Value| (stats["totalModules"].clone(), stats["totalOperations"].clone(), stats["totalKeys"].clone());
    assert_eq!(totals(&before), (json!(2), json!(3), json!(4)), "{before:#}");
    let posts = &before["modules"]["posts"];
    assert_eq!(
        (&posts["hits"], &posts["keys"], &posts["operations"]["list"]["hits"]),
        (&json!(3), &json!(3), &json!(2))
    );

    let body = json!({"module": "posts", "operation": "list"});
    assert_eq!(app.post("/api/cache/invalidate").json(body).await.expect_ok()["invalidated"], 2);
    assert_eq!(totals(&stats(&app).await), (json!(2), json!(2), json!(2)));
    assert!(is_cached(&app, "posts/get?id=1").await && !is_cached(&app, "posts/list?page=1").await);
    app.delete("/api/cache/entries/posts/get?id=1").await.expect_ok();
    assert_eq!(totals(&stats(&app).await), (json!(1), json!(1), json!(1)));
    assert_eq!(app.admin().delete("/admin/cache/module/photos").await.expect_ok()["invalidated"], 1);
    assert_eq!(totals(&stats(&app).await), (json!(0), json!(0), json!(0)));
}

#[tokio::test]
async fn the_ttl_comes_from_the_request_or_the_table() {
    let app = App::builder().variable("cache_ttls", "posts.list=60, posts.*=70, *.create=0").spawn().await;
    let ttl = async |target: &str| {
        app.put(format!("/api/cache/entries/{target}")).json(json!(1)).await.expect_ok()["ttl"].as_u64().unwrap()
    };
    assert_eq!(ttl("posts/list").await, 60);
    assert_eq!(ttl("posts/create").await, 70, "the module comes before the operation");
    assert_eq!(ttl("photos/list").await, 300);
    assert_eq!(ttl("posts/list?_ttl=2592000").await, 2_592_000);
    let got = app.get("/api/cache/entries/posts/create").await;
    assert!((60..=70).contains(&got.ttl()), "{got:?}");
}

#[tokio::test]
async fn a_ttl_of_zero_stores_nothing_and_removes_what_is_older() {
    let app = App::builder().variable("cache_ttls", "*.create=0").spawn().await;
    for (target, with_ttl) in [("posts/create", "posts/create?_ttl=50"), ("posts/list?_ttl=0", "posts/list")] {
        put(&app, with_ttl, json!("old")).await;
        let response = app.put(format!("/api/cache/entries/{target}")).json(json!("new")).await;
        assert_eq!(response.header("cache-status"), "tumbler; fwd=bypass; detail=disabled");
        let body = response.expect_ok();
        assert_eq!((&body["stored"], &body["ttl"]), (&json!(false), &json!(0)));
        assert!(!is_cached(&app, target.split('?').next().unwrap()).await, "the old value is not read any more");
    }
}

#[tokio::test]
async fn invalid_names_and_parameters_are_named() {
    let app = App::spawn().await;
    let long = "n".repeat(65);
    let table = [
        (Method::GET, "a.b/list".to_owned(), vec!["module"]),
        (Method::PUT, "a:b/c*".to_owned(), vec!["module", "operation"]),
        (Method::PUT, format!("{long}/{long}"), vec!["module", "operation"]),
        (Method::GET, "posts/%ff".to_owned(), vec!["operation"]),
        (Method::GET, "posts/list?_page=1".to_owned(), vec!["_page"]),
        (Method::GET, "posts/list?_user=".to_owned(), vec!["_user"]),
        (Method::GET, format!("posts/list?_user={}", "x".repeat(129)), vec!["_user"]),
        (Method::GET, "posts/list?_user=a&_user=b".to_owned(), vec!["_user"]),
        (Method::PUT, "posts/list?_ttl=-1".to_owned(), vec!["_ttl"]),
        (Method::PUT, "posts/list?_ttl=2592001".to_owned(), vec!["_ttl"]),
        (Method::DELETE, "posts/list?_ttl=1".to_owned(), vec!["_ttl"]),
        (Method::GET, "posts/list?a=%FF".to_owned(), vec!["a"]),
        (Method::GET, format!("posts/list?{}", "a=1&".repeat(101)), vec!["params"]),
    ];
    for (method, target, fields) in table {
        let response = app.request(method.clone(), format!("/api/cache/entries/{target}")).json(json!(1)).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), fields, "{method} {target}");
    }
    for module in ["users", "sellers", "kv"] {
        let path = format!("/api/cache/entries/{module}/get");
        for method in [Method::PUT, Method::DELETE] {
            let problem = app.request(method, &path).json(json!(1)).await.expect_problem(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains(module), "{problem}");
        }
        app.get(&path).await.expect_problem(404, "not-found");
    }
    assert_eq!(stats(&app).await["totalKeys"], 0);
}

#[tokio::test]
async fn a_missing_entry_is_filled_from_the_origin() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    origin.reply("/posts/get?id=9", Reply::status(404));
    let first = app.get(format!("{LIST}?b=2&a=x+y&_user=user%201&_ttl=50")).await;
    assert!(first.is_stored() && first.ttl() <= 50, "{first:?}");
    let again = app.get(format!("{LIST}?a=x%20y&b=2&_user=user+1")).await;
    assert!(again.is_hit() && again.text() == first.text(), "{again:?}");
    assert_eq!(origin.requests()[0].line, "GET /posts/list?a=x+y&b=2&_user=user+1");
    app.get("/api/cache/entries/posts/get?id=9").await.expect_problem(404, "not-found");
    // Nobody may fill entries of the components.
    app.get("/api/cache/entries/users/list").await.expect_problem(404, "not-found");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn many_are_stored_and_read_at_once() {
    let app = App::spawn().await;
    let stored = json!({"entries": [
        {"module": "posts", "operation": "list", "params": {"page": 1, "tag": ["a", "b"]}, "value": 1.5, "ttl": 50},
        {"module": "posts", "operation": "list", "params": {"page": "1"}, "user": "user-1", "value": null},
        {"module": "posts", "operation": "create", "value": 1, "ttl": 0},
    ], "ttl": 70});
    assert_eq!(app.post("/api/cache/mset").json(stored).await.expect_ok(), json!({"stored": 2}));
    let asked = json!({"entries": [
        {"module": "posts", "operation": "list", "params": {"page": "1"}, "user": "user-1"},
        {"module": "posts", "operation": "create"},
        {"module": "posts", "operation": "list", "params": {"tag": ["a", "b"], "page": "1"}},
    ]});
    let expected =
        json!({"entries": [{"found": true, "value": null}, {"found": false}, {"found": true, "value": 1.5}]});
    assert_eq!(app.post("/api/cache/mget").json(asked).await.expect_ok(), expected);
    assert!((60..=70).contains(&app.get(format!("{LIST}?page=1&_user=user-1")).await.ttl()));
    assert!(app.get(format!("{LIST}?page=1&tag=a&tag=b")).await.ttl() <= 50);

    let post = async |route: &str, body: Value| app.post(format!("/api/cache/{route}")).json(body).await;
    let entry = json!({"module": "a", "operation": "b", "value": 1});
    let reserved = json!({"entries": [entry, {"module": "users", "operation": "list", "value": 1}]});
    post("mset", reserved).await.expect_problem(403, "forbidden");
    for (route, body, places) in [
        ("mset", json!({"entries": []}), vec!["/entries"]),
        ("mset", json!({"entries": [["a", 1]]}), vec!["/entries/0"]),
        ("mset", json!({"entries": [entry, entry]}), vec!["/entries/1"]),
        (
            "mset",
            json!({"entries": [{"module": "a.b"}]}),
            vec!["/entries/0/module", "/entries/0/operation", "/entries/0/value"],
        ),
        (
            "mset",
            json!({"entries": [{"module": "a", "operation": "b", "params": {"_x": 1}, "value": 1}]}),
            vec!["/entries/0/params/_x"],
        ),
        ("mget", json!({"entries": []}), vec!["/entries"]),
        ("mget", json!({"keys": ["a"], "entries": [{"module": "a", "operation": "b"}]}), vec!["/entries"]),
        ("mget", json!({"entries": [entry]}), vec!["/entries/0/value"]),
        (
            "mget",
            json!({"entries": [{"module": "a", "operation": "b", "user": {}, "params": {"x": null}}]}),
            vec!["/entries/0/params/x", "/entries/0/user"],
        ),
    ] {
        assert_eq!(post(route, body.clone()).await.expect_errors(422, "validation"), places, "{route} {body}");
    }
    assert!(!is_cached(&app, "a/b").await, "the refused requests stored nothing");
}
