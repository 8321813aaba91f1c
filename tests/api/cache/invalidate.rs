//! POST /api/cache/invalidate and DELETE below /admin/cache: all matching entries are removed, and no others.

use blackbox::{App, entry_path, until};
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
    assert_eq!(
        app.post("/api/cache/mset").json(json!({"entries": entries})).await.expect_ok(),
        json!({"stored": NAMES.len()})
    );
}

/// Which of [`NAMES`] are cached.
async fn cached_names(app: &App) -> Vec<&'static str> {
    let found = app.post("/api/cache/mget").json(json!({"keys": NAMES})).await.expect_ok();
    NAMES.into_iter().filter(|name| found["entries"].get(name).is_some()).collect()
}

#[tokio::test]
async fn a_key_is_removed_and_counted_once() {
    let app = App::spawn().await;
    given_names(&app).await;
    for (round, count) in [(1, 1), (2, 0)] {
        let response = app.post("/api/cache/invalidate").json(json!({"key": "a*c"})).await;
        assert_eq!(response.expect_ok(), json!({"invalidated": count}), "round {round}");
    }
    assert_eq!(cached_names(&app).await.len(), NAMES.len() - 1, "a key is no pattern");
    assert!(!cached_names(&app).await.contains(&"a*c"));
    assert!(app.get(entry_path("a*c")).await.is_stored());
}

#[tokio::test]
async fn patterns_are_redis_globs_over_the_keys() {
    let app = App::spawn().await;
    for (pattern, matching) in PATTERNS {
        given_names(&app).await;
        let response = app.post("/api/cache/invalidate").json(json!({"pattern": pattern})).await;
        assert_eq!(response.expect_ok(), json!({"invalidated": matching.len()}), "{pattern}");
        let left: Vec<_> = NAMES.into_iter().filter(|name| !matching.contains(name)).collect();
        assert_eq!(cached_names(&app).await, left, "{pattern}");
        let again = app.post("/api/cache/invalidate").json(json!({"pattern": pattern})).await;
        assert_eq!(again.expect_ok(), json!({"invalidated": 0}), "{pattern}");
    }
}

#[tokio::test]
async fn modules_and_operations_are_invalidated_alone() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let (user, list) = (format!("/users/{id}"), "/users".to_owned());
    let post = async |body: Value| app.post("/api/cache/invalidate").json(&body).await.expect_ok();
    let delete = async |path: &str| {
        let response = app.admin().delete(format!("/admin/cache{path}")).await.expect_ok();
        assert!(response["cleared"].is_string() || response["cleared"].is_object(), "{response}");
        json!({"invalidated": response["invalidated"]})
    };
    // The request in both forms, how many entries it removes, and whether the user, the list and the key stay cached.
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
            app.put("/api/cache/a").json(json!(1)).await;
            for path in [&user, &list] {
                app.get(path).await;
                assert!(app.get(path).await.is_hit(), "{path}");
            }
            let response = if by_post { post(body.clone()).await } else { delete(path).await };
            assert_eq!(response, json!({"invalidated": count}), "{path}");
            // Each is read once, because a read fills the entry again.
            let cached = [
                app.get(&user).await.is_hit(),
                app.get(&list).await.is_hit(),
                app.head("/api/cache/a").await.status() == 200,
            ];
            assert_eq!(cached, still, "{path}");
        }
    }
}

#[tokio::test]
async fn a_row_changed_by_hand_is_read_after_the_invalidation() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let db = app.db().await;
    let path = format!("/users/{id}");
    for (round, invalidation) in ["/module/users", "/operation/users/getById", ""].into_iter().enumerate() {
        app.get(&path).await;
        let name = format!("By hand {round}");
        db.execute("UPDATE users SET name = $1 WHERE id = $2", &[&name, &id]).await.unwrap();
        let cached = app.get(&path).await;
        assert!(cached.is_hit() && cached.json()["name"] != name, "the cache cannot know yet: {cached:?}");
        app.admin().delete(format!("/admin/cache{invalidation}")).await.expect_ok();
        let fresh = app.get(&path).await;
        assert!(!fresh.is_hit() && fresh.json()["name"] == name, "{fresh:?}");
        assert!(app.get(&path).await.is_hit(), "the new row is cached");
    }
}

#[tokio::test]
async fn the_entries_of_one_user_are_invalidated_alone() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    let db = app.db().await;
    app.put("/api/cache/a").json(json!(1)).await;
    for by_post in [json!(ada), json!(ada.to_string()), json!(null)] {
        for id in [ada, bob] {
            app.get(format!("/users/{id}")).await;
            assert!(app.get(format!("/users/{id}")).await.is_hit());
        }
        db.execute("UPDATE users SET name = $1 WHERE id = $2", &[&format!("By hand {by_post}"), &ada]).await.unwrap();
        let response = match &by_post {
            Value::Null => app.admin().delete(format!("/admin/cache/user/{ada}")).await,
            id => app.post("/api/cache/invalidate").json(json!({"userId": id})).await,
        };
        assert_eq!(response.expect_ok()["invalidated"], 1, "{by_post}");
        let fresh = app.get(format!("/users/{ada}")).await;
        assert!(!fresh.is_hit() && fresh.json()["name"] == format!("By hand {by_post}"), "{fresh:?}");
        assert!(app.get(format!("/users/{bob}")).await.is_hit(), "another user");
        assert_eq!(app.head("/api/cache/a").await.status(), 200);
    }
}

/// A row was changed by hand. The list and the batch that show the user are outdated, too.
#[tokio::test]
async fn pages_and_batches_that_show_a_user_are_outdated_with_the_user() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    let db = app.db().await;
    let pages = ["/users".to_owned(), "/users?limit=2".to_owned(), format!("/users?ids={ada},{bob}")];
    for round in 0..2 {
        for page in &pages {
            app.get(page).await.expect_ok();
            assert!(app.get(page).await.text().contains("ada"), "{page}");
        }
        let name = format!("By hand {round}");
        db.execute("UPDATE users SET name = $1 WHERE id = $2", &[&name, &ada]).await.unwrap();
        match round {
            0 => app.admin().delete(format!("/admin/cache/user/{ada}")).await,
            _ => app.post("/api/cache/invalidate").json(json!({"userId": ada})).await,
        }
        .expect_ok();
        for page in &pages {
            let fresh = app.get(page).await;
            assert!(fresh.text().contains(&name), "{page}: {fresh:?}");
        }
    }
    assert!(app.get(format!("/users/{bob}")).await.is_hit(), "another user");
}

/// Searches of all keys take turns, and each of them ends.
#[tokio::test]
async fn patterns_at_the_same_time_all_succeed() {
    let app = App::spawn().await;
    given_names(&app).await;
    let mut searches = tokio::task::JoinSet::new();
    for number in 0..12 {
        let search = app.post("/api/cache/invalidate").json(json!({"pattern": format!("nothing:{number}:*")}));
        searches.spawn(search.into_future());
    }
    for response in searches.join_all().await {
        assert_eq!(response.expect_ok(), json!({"invalidated": 0}));
    }
    assert_eq!(cached_names(&app).await, NAMES);
}

#[tokio::test]
async fn a_user_without_entries_invalidates_nothing() {
    let app = App::spawn().await;
    given_names(&app).await;
    for id in [json!(77), json!("77"), json!(i64::MAX), json!("9223372036854775807")] {
        let response = app.post("/api/cache/invalidate").json(json!({"userId": id})).await;
        assert_eq!(response.expect_ok(), json!({"invalidated": 0}), "{id}");
    }
    let response = app.admin().delete("/admin/cache/user/77").await;
    assert_eq!(response.expect_ok()["invalidated"], 0);
    assert_eq!(cached_names(&app).await, NAMES);
}

#[tokio::test]
async fn expired_entries_are_not_counted() {
    let app = App::spawn().await;
    app.post("/api/cache/mset").json(json!({"entries": {"a": 1, "b": 1, "c": 1}, "ttl": 1})).await;
    app.put("/api/cache/d").json(json!(1)).await;
    until("entries expire", async || app.head("/api/cache/c").await.status() == 404).await;
    let response = app.post("/api/cache/invalidate").json(json!({"module": "kv"})).await;
    assert_eq!(response.expect_ok(), json!({"invalidated": 1}));
}
