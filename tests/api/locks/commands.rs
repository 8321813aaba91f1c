//! The Redis commands of the locks service: no scripts, none that reads all keys, and each change checks the owner.

use blackbox::{App, Command, Grant};
use serde_json::json;

use super::{FOREIGN_TOKEN, release_held};

/// Scripts, and commands that read every key or delete keys of others.
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
    let app = App::spawn().await;
    let mut monitor = app.redis.monitor().await;
    let grant = app.given_lock("orders", 60_000).await;
    for body in [
        json!({"resource": "orders"}),
        json!({"resource": "orders", "wait": 300}),
        json!({"resources": ["a", "b", "orders"]}),
        json!({"resources": ["a", "b", "c"], "ttl": 60_000}),
    ] {
        assert_eq!(app.post("/api/cache/lock/acquire").json(&body).await.status(), 200);
    }
    app.extend(&grant, 30_000).await;
    let foreign = Grant { token: FOREIGN_TOKEN.to_owned(), ..grant.clone() };
    app.extend(&foreign, 30_000).await;
    app.release(&foreign).await;
    app.get("/api/cache/lock/orders").await;
    assert_eq!(app.admin().get("/admin/locks").await.json()["locks"].as_array().unwrap().len(), 4);
    release_held(&app, &grant).await;
    app.release(&grant).await;
    app.extend(&grant, 30_000).await;
    assert_eq!(app.admin().delete("/admin/locks/a").await.json(), json!({"broken": true}));
    let commands = monitor.commands().await;
    let forbidden: Vec<_> = commands.iter().filter(|command| FORBIDDEN.contains(&command.name.as_str())).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    // The monitor has seen the requests.
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

/// Servers that have the commands for it delete and extend a lock in one step. Otherwise a transaction does so, which
/// watches the key on the same connection.
#[tokio::test]
async fn the_owner_is_checked_in_the_same_step_as_the_change() {
    let app = App::spawn().await;
    let deletes_alone = knows(&app, "DELIFEQ").await || knows(&app, "DELEX").await;
    let extends_alone = sets_if_equal(&app).await;
    let mut monitor = app.redis.monitor().await;
    let workers = (0..8).map(|worker| {
        let api = app.api.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                let grant = api.given_lock(&format!("r{worker}"), 60_000).await;
                api.extend(&grant, 30_000).await;
                release_held(&api, &grant).await;
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

/// Whether the server has this command.
async fn knows(app: &App, command: &str) -> bool {
    let info: redis::Value = app.redis.ask(&["COMMAND", "INFO", command]).await;
    info != redis::Value::Array(vec![redis::Value::Nil])
}

/// Whether SET has the option IFEQ.
async fn sets_if_equal(app: &App) -> bool {
    let docs: redis::Value = app.redis.ask(&["COMMAND", "DOCS", "SET"]).await;
    format!("{docs:?}").contains("IFEQ")
}
