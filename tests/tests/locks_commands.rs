//! What Redis sees of the locks service: no scripts, no search through all keys, few round trips.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::{App, Command};
use serde_json::json;

/// Scripts, and commands that look at every key or delete without asking whose it is.
const FORBIDDEN: [&str; 13] = [
    "EVAL",
    "EVALSHA",
    "EVAL_RO",
    "EVALSHA_RO",
    "FCALL",
    "FCALL_RO",
    "FUNCTION",
    "SCRIPT",
    "KEYS",
    "FLUSHALL",
    "FLUSHDB",
    "RENAME",
    "SWAPDB",
];

fn names(commands: &[Command]) -> Vec<&str> {
    commands.iter().map(|command| command.name.as_str()).collect()
}

#[tokio::test]
async fn no_route_uses_a_script() {
    let app = App::builder().patient_locks().spawn().await;
    let mut monitor = app.redis.monitor().await;
    let grant = app.given_lock("orders", 60_000).await;
    for body in [
        json!({"resource": "orders"}),
        json!({"resource": "orders", "wait": 300}),
        json!({"resources": ["a", "b", "orders"]}),
        json!({"resources": ["a", "b", "c"]}),
    ] {
        assert_eq!(app.acquire_lock(&body).await.status(), 200);
    }
    app.extend_lock(&grant.key, &grant.token, 30_000).await;
    app.extend_lock(&grant.key, "wrong", 30_000).await;
    app.release_lock(&grant.key, "wrong").await;
    app.show_lock("orders").await;
    assert_eq!(read(app.list_locks("").await).await.json()["locks"].as_array().unwrap().len(), 4);
    assert_eq!(read(app.release_lock(&grant.key, &grant.token).await).await.json(), json!({"released": true}));
    app.release_lock(&grant.key, &grant.token).await;
    app.extend_lock(&grant.key, &grant.token, 30_000).await;
    assert_eq!(read(app.break_lock("a").await).await.json(), json!({"broken": true}));
    let commands = monitor.commands().await;
    let forbidden: Vec<_> = commands.iter().filter(|command| FORBIDDEN.contains(&command.name.as_str())).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    // Else the monitor was blind.
    for name in ["SET", "WATCH", "MULTI", "EXEC", "SCAN"] {
        assert!(names(&commands).contains(&name), "{name} is not among {:?}", names(&commands));
    }
    let sets: Vec<_> =
        commands.iter().filter(|command| command.name == "SET" && command.args[0].starts_with("locks:")).collect();
    assert!(sets.len() >= 5, "{sets:?}");
    for set in sets {
        let has = |option: &str| set.args[2..].iter().any(|arg| arg == option);
        assert!((has("NX") || has("IFEQ")) && has("PX"), "{set:?}");
    }
    for delex in commands.iter().filter(|command| command.name == "DELEX") {
        assert_eq!(delex.args[1..2], ["IFEQ"], "{delex:?}");
    }
}

/// Redis or Valkey, as far as they know these commands, deletes and extends a lock in one step; else a transaction does,
/// which watches the key on the connection on which it then changes it.
#[tokio::test]
async fn whose_lock_it_is_is_asked_in_the_same_step() {
    let app = App::builder().patient_locks().spawn().await;
    let deletes_alone = knows(&app, "DELIFEQ").await || knows(&app, "DELEX").await;
    let extends_alone = sets_if_equal(&app).await;
    let mut monitor = app.redis.monitor().await;
    let workers = (0..8).map(|worker| {
        let api = app.api.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                let grant = api.given_lock(&format!("r{worker}"), 60_000).await;
                api.extend_lock(&grant.key, &grant.token, 30_000).await;
                let released = read(api.release_lock(&grant.key, &grant.token).await).await;
                assert_eq!(released.json(), json!({"released": true}));
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let commands = monitor.commands().await;
    let mut watched = std::collections::HashMap::new();
    let (mut transactions, mut deletions, mut extensions) = (0, 0, 0);
    for command in &commands {
        let on_lock = command.args.first().is_some_and(|key| key.starts_with("locks:"));
        match command.name.as_str() {
            "WATCH" => {
                let before = watched.insert(&command.client, command.args[0].clone());
                assert_eq!(before, None, "{} watches twice", command.client);
            }
            "DEL" | "UNLINK" | "PEXPIRE" | "PEXPIREAT" if on_lock => {
                assert_eq!(watched.get(&command.client), Some(&command.args[0]), "{command:?} is not watched");
            }
            "EXEC" | "UNWATCH" | "DISCARD" => {
                let key = watched.remove(&command.client).unwrap_or_default();
                transactions += usize::from(command.name == "EXEC" && key.starts_with("locks:"));
            }
            "DELIFEQ" | "DELEX" if on_lock => deletions += 1,
            "SET" if on_lock && command.args[2] == "IFEQ" => extensions += 1,
            _ => {}
        }
    }
    let expected = |alone: bool| if alone { 80 } else { 0 };
    assert_eq!((deletions, extensions), (expected(deletes_alone), expected(extends_alone)));
    assert_eq!(transactions, 160 - deletions - extensions);
}

/// Whether the server says that it has this command.
async fn knows(app: &App, command: &str) -> bool {
    let mut redis = app.redis.connection().await;
    let info: redis::Value = redis::cmd("COMMAND").arg("INFO").arg(command).query_async(&mut redis).await.unwrap();
    info != redis::Value::Array(vec![redis::Value::Nil])
}

/// Whether SET has the option IFEQ.
async fn sets_if_equal(app: &App) -> bool {
    let mut redis = app.redis.connection().await;
    let docs: redis::Value = redis::cmd("COMMAND").arg("DOCS").arg("SET").query_async(&mut redis).await.unwrap();
    format!("{docs:?}").contains("IFEQ")
}
