//! Compare-and-set over HTTP: clients increment one number with `GET` and `PUT` with `If-Match`, and try again after a
//! 412. No increment is lost, and none is counted twice.

use std::sync::Arc;

use blackbox::App;
use serde_json::json;
use tokio::task::JoinSet;

use crate::progress::Progress;

const CLIENTS: usize = 8;
/// How many increments happen. The race also needs some that were refused.
const ENOUGH: u64 = 60;
const PATHS: [&str; 2] = ["/api/cache/counter", "/api/cache/entries/counters/get?name=visits&_user=user-1"];

#[tokio::test]
async fn no_increment_is_lost() {
    let app = App::builder().instance_per_request().spawn().await;
    for path in PATHS {
        app.put(path).header("if-none-match", "*").json(json!(0)).await.expect_ok();
        let progress = Progress::until(&[("increments", ENOUGH), ("refusals", 10)]);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (api, progress) = (app.api.clone(), Arc::clone(&progress));
            clients.spawn(async move {
                let mut done = 0;
                while progress.goes_on() {
                    let seen = api.get(path).await;
                    let next = seen.expect_ok()["value"].as_u64().unwrap() + 1;
                    let put = api.put(path).header("if-match", seen.header("etag")).json(json!(next)).await;
                    if put.status() == 412 {
                        progress.count("refusals", 1);
                    } else {
                        put.expect_ok();
                        progress.count("increments", 1);
                        done += 1;
                    }
                }
                done
            });
        }
        let done: u64 = clients.join_all().await.into_iter().sum();
        progress.expect_enough();
        assert_eq!(app.get(path).await.expect_ok()["value"], done, "{path}");
    }
}

/// Of many clients that create a key at the same time, one succeeds.
#[tokio::test]
async fn one_client_creates_a_key() {
    let app = App::builder().instance_per_request().spawn().await;
    for round in 0..8 {
        let path = format!("/api/cache/lead:{round}");
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let put = app.put(&path).header("if-none-match", "*").json(json!(client)).into_future();
            clients.spawn(async move { (client, put.await) });
        }
        let responses = clients.join_all().await;
        let created: Vec<_> = responses.iter().filter(|(_, put)| put.status() == 200).collect();
        assert!(responses.iter().all(|(_, put)| [200, 412].contains(&put.status())), "{responses:?}");
        assert_eq!(created.len(), 1, "{responses:?}");
        assert_eq!(app.get(&path).await.expect_ok()["value"], created[0].0);
    }
}
