//! GET /users: pages, filters and several ids.

use blackbox::App;
use serde_json::{Value, json};

use super::{ids, next};

/// Follows the links from `path`. Returns the ids of each page.
async fn pages(app: &App, path: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(target) = path {
        // The second response comes from the cache and must be the same.
        let fresh = app.get(&target).await;
        let cached = app.get(&target).await;
        assert_eq!(fresh.status(), 200, "{fresh:?}");
        assert!(cached.is_hit(), "{cached:?}");
        assert_eq!((cached.text(), cached.header("link")), (fresh.text(), fresh.header("link")));
        pages.push(ids(&fresh.json()));
        path = next(&fresh);
    }
    pages
}

async fn given_users(app: &App, count: usize) -> Vec<i64> {
    let user = |n| json!({"name": format!("User {n}"), "email": format!("u{n}@b.co"), "isActive": n % 3 > 0});
    let created = app.post("/users/batch").json((0..count).map(user).collect::<Value>()).await;
    ids(&created.json())
}

#[tokio::test]
async fn an_empty_list_is_an_empty_array() {
    let app = App::spawn().await;
    let response = app.get("/users").await;
    assert_eq!((response.status(), response.text()), (200, "[]"));
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(next(&response), None);
}

#[tokio::test]
async fn links_lead_through_all_users_in_the_order_of_ids() {
    let app = App::spawn().await;
    let all = given_users(&app, 250).await;
    assert_eq!(pages(&app, "/users").await, all.chunks(100).collect::<Vec<_>>(), "100 by default");
    assert_eq!(pages(&app, "/users?limit=125").await, all.chunks(125).collect::<Vec<_>>());
    assert_eq!(pages(&app, "/users?limit=1000").await.concat(), all);
    assert_eq!(pages(&app, "/users?limit=250").await.len(), 1);
    assert_eq!(pages(&app, "/users?limit=7").await, all.chunks(7).collect::<Vec<_>>());
    assert_eq!(pages(&app, "/users?limit=1&isActive=false").await.len(), all.len().div_ceil(3));
}

#[tokio::test]
async fn archived_users_leave_no_gap_in_a_page() {
    let app = App::spawn().await;
    let all = given_users(&app, 10).await;
    for gone in [all[1], all[2], all[9]] {
        assert_eq!(app.delete(format!("/users/{gone}")).await.status(), 204);
    }
    let left: Vec<i64> =
        all.into_iter().enumerate().filter(|(n, _)| ![1, 2, 9].contains(n)).map(|(_, id)| id).collect();
    assert_eq!(pages(&app, "/users?limit=3").await, left.chunks(3).collect::<Vec<_>>());
}

#[tokio::test]
async fn links_keep_the_filter() {
    let app = App::spawn().await;
    let all = given_users(&app, 30).await;
    let (inactive, active): (Vec<_>, Vec<_>) = all.into_iter().enumerate().partition(|(n, _)| n % 3 == 0);
    for (filter, expected) in [("true", active), ("false", inactive)] {
        let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id).collect();
        let pages = pages(&app, &format!("/users?isActive={filter}&limit=4")).await;
        assert_eq!(pages, expected.chunks(4).collect::<Vec<_>>(), "isActive={filter}");
    }
}

#[tokio::test]
async fn an_address_finds_its_user_in_upper_and_lower_case() {
    let app = App::spawn().await;
    given_users(&app, 3).await;
    let created = app.post("/users").json(json!({"name": "Plus", "email": "A+b_%@Example.org"})).await;
    for query in
        ["?email=A%2Bb_%25%40Example.org", "?email=a%2BB_%25@example.ORG", "?limit=1&email=a%2Bb_%25@example.org"]
    {
        let found = app.get(format!("/users{query}")).await;
        assert_eq!(found.text(), format!("[{}]", created.text()), "{query}");
        assert_eq!(next(&found), None);
    }
    // The comparison is exact: no wildcards, no prefixes.
    for query in ["?email=u_@b.co", "?email=u@b.co", "?email=%25@b.co", "?email=a%2Bb_%25@example.org&isActive=false"] {
        assert_eq!(app.get(format!("/users{query}")).await.text(), "[]", "{query}");
    }
}

#[tokio::test]
async fn ids_select_the_users_that_exist_in_the_order_of_ids() {
    let app = App::spawn().await;
    let all = given_users(&app, 5).await;
    app.delete(format!("/users/{}", all[3])).await;
    let query = format!("?ids={},999,{},{},{},{}", all[4], all[0], all[3], all[4], all[2]);
    let expected = [all[0], all[2], all[4]];
    let first = app.get(format!("/users{query}")).await;
    assert_eq!(ids(&first.json()), expected);
    assert!(first.header("cache-status").contains("fwd=miss"), "{first:?}");
    let second = app.get(format!("/users{query}")).await;
    assert!(second.is_hit(), "{second:?}");
    assert_eq!(second.text(), first.text());
    // Byte for byte the responses for the single users.
    let mut singles = Vec::new();
    for id in expected {
        singles.push(app.get(format!("/users/{id}")).await.text().to_owned());
    }
    assert_eq!(first.text(), format!("[{}]", singles.join(",")));
}

#[tokio::test]
async fn a_thousand_ids_cost_one_statement_and_then_one_command() {
    let app = App::builder().log_statements().spawn().await;
    let all = given_users(&app, 1000).await;
    let query = format!("?ids={}", all.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
    let before = app.database.statements().len();
    let cold = app.get(format!("/users{query}")).await;
    assert_eq!(ids(&cold.json()), all);
    let selects = app.database.statements().split_off(before);
    assert_eq!(selects.iter().filter(|sql| sql.contains("users")).count(), 1, "{selects:?}");

    app.get(format!("/users{query}")).await;
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    let warm = app.get(format!("/users{query}")).await;
    assert!(warm.is_hit() && warm.text() == cold.text());
    let commands = monitor.commands().await;
    let reads: Vec<_> = commands.iter().filter(|command| !command.is_counter()).collect();
    assert_eq!(reads.len(), 1, "{:?}", reads.iter().map(|command| &command.name).collect::<Vec<_>>());
    assert_eq!(reads[0].name, "MGET");
}

#[tokio::test]
async fn every_list_shows_a_write_at_once() {
    let app = App::spawn().await;
    let all = given_users(&app, 4).await;
    let views = ["".to_owned(), "?limit=2".into(), "?isActive=true".into(), format!("?ids={},{}", all[0], all[1])];
    let names = async |view: &str| {
        let users = app.get(format!("/users{view}")).await.json();
        let name = |user: &Value| user["name"].as_str().unwrap().to_owned();
        users.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    for round in 0..5 {
        for view in &views {
            names(view).await;
        }
        let name = format!("Round {round}");
        app.put(format!("/users/{}", all[1])).json(json!({"name": name})).await;
        for view in &views {
            assert!(names(view).await.contains(&name), "{view} in round {round}");
        }
    }
    app.delete(format!("/users/{}", all[1])).await;
    for view in &views {
        assert!(!names(view).await.contains(&"Round 4".to_owned()), "{view}");
    }
    assert_eq!(names("?limit=2").await, ["User 0", "User 2"]);
    app.given_user("late").await;
    assert!(names("").await.contains(&"late".to_owned()));
}

/// The statement that the service sends, with the values of a page of inactive users after a cursor.
#[tokio::test]
async fn a_page_of_inactive_users_reads_only_them() {
    let app = App::builder().log_statements().spawn().await;
    let db = app.db().await;
    let users = "INSERT INTO users (name, email, is_active) SELECT 'User', 'u' || n || '@b.co', n % 1000 > 0 \
                 FROM generate_series(1, 50000) n";
    db.batch_execute(&format!("{users}; ANALYZE users")).await.expect("users are inserted");
    assert_eq!(app.get("/users?isActive=false&limit=20").await.json().as_array().map(Vec::len), Some(20));
    let statements = app.database.statements();
    let mut sql = statements.iter().rfind(|sql| sql.contains("LIMIT $4")).expect("the page was read").clone();
    for (parameter, value) in [("$1", "25000"), ("$2", "NULL"), ("$3", "false"), ("$4", "21"), ("$5", "1048576")] {
        sql = sql.replace(parameter, value);
    }
    let plan = db.query(&format!("EXPLAIN {sql}"), &[]).await.expect("the statement is planned");
    let plan: String = plan.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
    assert!(plan.contains("users_activity_idx") && !plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
}
