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
    let grants = commands.iter().filter(|command| command.name == "SET" && command.args[0].starts_with("locks:"));
    for set in grants {
        assert!(set.args.iter().any(|arg| arg == "NX") && set.args.iter().any(|arg| arg == "PX"), "{set:?}");
    }
}

/// A release watches the key on the connection on which it then deletes it.
#[tokio::test]
async fn a_transaction_has_its_connection_to_itself() {
    let app = App::builder().patient_locks().spawn().await;
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
    let mut transactions = 0;
    for command in &commands {
        match command.name.as_str() {
            "WATCH" => {
                let before = watched.insert(&command.client, command.args[0].clone());
                assert_eq!(before, None, "{} watches twice", command.client);
            }
            "DEL" | "UNLINK" | "PEXPIRE" | "PEXPIREAT" if command.args[0].starts_with("locks:") => {
                assert_eq!(watched.get(&command.client), Some(&command.args[0]), "{command:?} is not watched");
            }
            "EXEC" | "UNWATCH" | "DISCARD" => {
                let key = watched.remove(&command.client).unwrap_or_default();
                transactions += usize::from(command.name == "EXEC" && key.starts_with("locks:"));
            }
            _ => {}
        }
    }
    assert_eq!(transactions, 160);
}
