//! POST /api/cache/mget.

use blackbox::App;
use serde_json::{Map, Value, json};

use super::{MANY, many_keys};

#[tokio::test]
async fn mget_does_not_fill() {
    let app = App::spawn().await;
    for _ in 0..2 {
        let none = app.post("/api/cache/mget").json(json!({"keys": ["a", "a"]})).await.expect_ok();
        assert_eq!(none["entries"], json!({}));
    }
    assert_eq!(app.head("/api/cache/a").await.status(), 404);
}

#[tokio::test]
async fn a_thousand_keys_are_read_with_one_command() {
    let app = App::spawn().await;
    let keys = many_keys(MANY);
    let entries: Map<String, Value> = keys.iter().zip(0..).map(|(key, n)| (key.clone(), json!({"n": n}))).collect();
    let stored = app.post("/api/cache/mset").json(json!({"entries": entries})).await;
    assert_eq!(stored.expect_ok(), json!({"stored": MANY}));
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    let found = app.post("/api/cache/mget").json(json!({"keys": keys})).await;
    assert_eq!(found.expect_ok(), json!({"entries": entries, "missing": []}));
    let commands = monitor.commands().await;
    let asked: Vec<_> =
        commands.iter().filter(|command| command.args.iter().any(|arg| arg.contains("many:"))).collect();
    let names: Vec<_> = asked.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["MGET"], "one round trip");
}
