//! POST /api/cache/invalidate and DELETE under /admin/cache: what is named goes, all of it, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::{App, until};
use reqwest::Method;
use serde_json::{Map, Value, json};

const NAMES: [&str; 16] = [
    "a",
    "b",
    "ab",
    "abc",
    "axc",
    "a*c",
    "a?c",
    "[ab]",
    "a:b:c",
    "a/b",
    "user:1",
    "users:version",
    "locks:door",
    "ключ",
    "back\\slash",
    "cache:stats",
];

/// Redis globs and the names that they match.
const PATTERNS: [(&str, &[&str]); 18] = [
    ("a", &["a"]),
    ("?", &["a", "b"]),
    ("a*", &["a", "ab", "abc", "axc", "a*c", "a?c", "a:b:c", "a/b"]),
    ("a?c", &["abc", "axc", "a*c", "a?c"]),
    (r"a\?c", &["a?c"]),
    (r"a\*c", &["a*c"]),
    ("[ab]", &["a", "b"]),
    ("[^a]", &["b"]),
    ("a[b-x]c", &["abc", "axc"]),
    (r"\[ab\]", &["[ab]"]),
    ("*:*:*", &["a:b:c"]),
    ("user*", &["user:1", "users:version"]),
    ("user:*", &["user:1"]),
    ("locks:*", &["locks:door"]),
    ("*ю*", &["ключ"]),
    ("клю?*", &["ключ"]),
    (r"back\\*", &["back\\slash"]),
    ("*", &NAMES),
];

/// Fills the cache with [`NAMES`].
async fn given_names(app: &App) {
    let entries: Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), json!(1))).collect();
    assert_eq!(read(app.mset(&json!({"entries": entries})).await).await.expect_ok(), json!({"stored": NAMES.len()}));
}

/// Which of [`NAMES`] are cached.
async fn cached_names(app: &App) -> Vec<&'static str> {
    let found = read(app.mget(&json!({"keys": NAMES})).await).await.expect_ok();
    NAMES.into_iter().filter(|name| found["entries"].get(name).is_some()).collect()
}

#[tokio::test]
async fn a_key_goes_and_is_counted_once() {
    let app = App::spawn().await;
    given_names(&app).await;
    for (round, count) in [(1, 1), (2, 0)] {
        let answer = read(app.invalidate(&json!({"key": "a*c"})).await).await;
        assert_eq!(answer.expect_ok(), json!({"invalidated": count}), "round {round}");
    }
    assert_eq!(cached_names(&app).await.len(), NAMES.len() - 1, "a key is no pattern");
    assert!(!cached_names(&app).await.contains(&"a*c"));
    assert!(read(app.get_cached("a*c").await).await.is_stored());
}

#[tokio::test]
async fn patterns_are_redis_globs_over_the_names_of_keys() {
    let app = App::spawn().await;
    for (pattern, matching) in PATTERNS {
        given_names(&app).await;
        let answer = read(app.invalidate(&json!({"pattern": pattern})).await).await;
        assert_eq!(answer.expect_ok(), json!({"invalidated": matching.len()}), "{pattern}");
        let left: Vec<_> = NAMES.into_iter().filter(|name| !matching.contains(name)).collect();
        assert_eq!(cached_names(&app).await, left, "{pattern}");
        let again = read(app.invalidate(&json!({"pattern": pattern})).await).await;
        assert_eq!(again.expect_ok(), json!({"invalidated": 0}), "{pattern}");
    }
}

#[tokio::test]
async fn modules_and_operations_are_invalidated_alone() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let (user, list) = (format!("/users/{id}"), "/users".to_owned());
    let post = async |body: Value| read(app.invalidate(&body).await).await.expect_ok();
    let delete = async |path: &str| {
        let answer = read(app.admin_cache(Method::DELETE, path).await).await.expect_ok();
        assert!(answer["cleared"].is_string() || answer["cleared"].is_object(), "{answer}");
        json!({"invalidated": answer["invalidated"]})
    };
    // What is invalidated: how many entries go; whether the user, the list, and the key are still cached.
    let rounds: [(&str, Value, u64, [bool; 3]); 6] = [
        ("/module/users", json!({"module": "users"}), 2, [false, false, true]),
        ("/operation/users/getById", json!({"module": "users", "operation": "getById"}), 1, [false, true, true]),
        ("/operation/users/list", json!({"module": "users", "operation": "list"}), 1, [true, false, true]),
        ("/operation/kv/get", json!({"module": "kv", "operation": "get"}), 1, [true, true, false]),
        ("/module/kv", json!({"module": "kv"}), 1, [true, true, false]),
        ("/module/nothing", json!({"module": "nothing", "operation": "get"}), 0, [true, true, true]),
    ];
    for (path, body, count, still) in rounds {
        for by_post in [true, false] {
            app.put_cached("a", "", &json!(1)).await;
            for path in [&user, &list] {
                read(app.get(path).await).await;
                assert!(read(app.get(path).await).await.is_hit(), "{path}");
            }
            let answer = if by_post { post(body.clone()).await } else { delete(path).await };
            assert_eq!(answer, json!({"invalidated": count}), "{path}");
            // A read would fill the list's neighbour; ask for each once.
            let there = [
                read(app.get(&user).await).await.is_hit(),
                read(app.get(&list).await).await.is_hit(),
                app.head_cached("a").await.status() == 200,
            ];
            assert_eq!(there, still, "{path}");
        }
    }
}

#[tokio::test]
async fn a_row_changed_by_hand_shows_after_the_invalidation() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let db = app.db().await;
    let path = format!("/users/{id}");
    for (round, invalidation) in ["/module/users", "/operation/users/getById", ""].into_iter().enumerate() {
        read(app.get(&path).await).await;
        let name = format!("By hand {round}");
        db.execute("UPDATE users SET name = $1 WHERE id = $2", &[&name, &id]).await.unwrap();
        let cached = read(app.get(&path).await).await;
        assert!(cached.is_hit() && cached.json()["name"] != name, "the cache cannot know yet: {cached:?}");
        read(app.admin_cache(Method::DELETE, invalidation).await).await.expect_ok();
        let fresh = read(app.get(&path).await).await;
        assert!(!fresh.is_hit() && fresh.json()["name"] == name, "{fresh:?}");
        assert!(read(app.get(&path).await).await.is_hit(), "and the new row is cached");
    }
}

#[tokio::test]
async fn what_is_cached_about_a_user_is_invalidated_alone() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    let db = app.db().await;
    app.put_cached("a", "", &json!(1)).await;
    for by_post in [json!(ada), json!(ada.to_string()), json!(null)] {
        for id in [ada, bob] {
            read(app.get_user(id).await).await;
            assert!(read(app.get_user(id).await).await.is_hit());
        }
        db.execute("UPDATE users SET name = $1 WHERE id = $2", &[&format!("By hand {by_post}"), &ada]).await.unwrap();
        let answer = match &by_post {
            Value::Null => read(app.admin_cache(Method::DELETE, &format!("/user/{ada}")).await).await,
            id => read(app.invalidate(&json!({"userId": id})).await).await,
        };
        assert_eq!(answer.expect_ok()["invalidated"], 1, "{by_post}");
        let fresh = read(app.get_user(ada).await).await;
        assert!(!fresh.is_hit() && fresh.json()["name"] == format!("By hand {by_post}"), "{fresh:?}");
        assert!(read(app.get_user(bob).await).await.is_hit(), "another user");
        assert_eq!(app.head_cached("a").await.status(), 200);
    }
}

#[tokio::test]
async fn a_user_without_entries_has_none_to_invalidate() {
    let app = App::spawn().await;
    given_names(&app).await;
    for id in [json!(77), json!("77"), json!(i64::MAX), json!("9223372036854775807")] {
        let answer = read(app.invalidate(&json!({"userId": id})).await).await;
        assert_eq!(answer.expect_ok(), json!({"invalidated": 0}), "{id}");
    }
    let answer = read(app.admin_cache(Method::DELETE, "/user/77").await).await;
    assert_eq!(answer.expect_ok()["invalidated"], 0);
    assert_eq!(cached_names(&app).await, NAMES);
}

#[tokio::test]
async fn entries_that_expired_are_not_counted() {
    let app = App::spawn().await;
    app.mset(&json!({"entries": {"a": 1, "b": 1, "c": 1}, "ttl": 1})).await;
    app.put_cached("d", "", &json!(1)).await;
    until("entries expire", async || app.head_cached("c").await.status() == 404).await;
    let answer = read(app.invalidate(&json!({"module": "kv"})).await).await;
    assert_eq!(answer.expect_ok(), json!({"invalidated": 1}));
}
