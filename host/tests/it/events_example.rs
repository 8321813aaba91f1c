//! `examples/events` on our host: it reads the users again that events are about.

use std::collections::BTreeSet;

use dev_servers::RedisServer;
use redis::AsyncCommands;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::host::{DEADLINE, Host, command, guest, workspace};

/// A server that has all users. Returns its URL, and the first line and the `traceparent` of each request.
async fn api() -> (String, UnboundedReceiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, requests) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(respond(stream, sender.clone()));
        }
    });
    (url, requests)
}

async fn respond(mut stream: TcpStream, requests: UnboundedSender<(String, String)>) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request = String::from_utf8_lossy(&bytes);
    let mut lines = request.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    let traceparent = lines.find_map(|line| line.strip_prefix("traceparent: ")).unwrap_or_default();
    requests.send((first, traceparent.to_owned())).expect("the test runs");
    let response = "HTTP/1.1 200 OK\r\ncache-status: tumbler; fwd=miss; stored\r\nconnection: close\r\n\
                    content-length: 2\r\n\r\n{}";
    stream.write_all(response.as_bytes()).await.expect("sent");
}

fn event(kind: &str, subject: &str, more: &str) -> String {
    let id = "5b1f0c6e9a7d4e21b3c8d2f4a6907e15";
    let head = format!(r#"{{"specversion":"1.0","id":"{id}","source":"/users","type":"{kind}","subject":"{subject}""#);
    format!(r#"{head},"time":"2026-11-21T22:00:00.123Z"{more}}}"#)
}

#[tokio::test]
async fn the_example_reads_users_again_after_they_have_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let (api_url, mut requests) = api().await;

    let manifest = std::fs::read_to_string(workspace().join("examples/events/spin.toml")).expect("readable");
    let source = "target/wasm32-wasip2/release/user_warmer.wasm";
    assert!(manifest.contains(source));
    let manifest = manifest.replace(source, &guest("user_warmer").display().to_string());
    let variables = [format!("redis_url={}", redis.url()), format!("api_url={api_url}")];
    let (command, manifest_folder) = command(&manifest, &["--variable", &variables[0], "--variable", &variables[1]]);
    let host = Host::spawn(command, manifest_folder);
    host.wait_for_line("listening on tumbler:events").await;

    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let client = redis::Client::open(redis.url()).expect("valid");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connected");
    for message in [
        event("tumbler.user.created", "users/41", ""),
        event("tumbler.user.updated", "users/42", &format!(r#","version":7,"traceparent":"{traceparent}""#)),
        event("tumbler.cache.invalidated", "users/43", r#","datacontenttype":"application/json","data":{"userId":43}"#),
        event("tumbler.cache.invalidated", "users/list", ""),
        event("tumbler.user.deleted", "users/44", ""),
        event("tumbler.seller.updated", "sellers/45", ""),
        event("tumbler.user.updated", "users/46/../../admin", ""),
        "no event".to_owned(),
        event("tumbler.user.updated", "users/47", ""),
    ] {
        let () = connection.publish("tumbler:events", message).await.expect("published");
    }
    let line = host.wait_for_line("users/42").await;
    assert_eq!(line, "[user-warmer] tumbler.user.updated users/42: 200, tumbler; fwd=miss; stored");
    host.wait_for_line("not a CloudEvent").await;
    host.wait_for_line("users/47").await;

    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        seen.insert(timeout(DEADLINE, requests.recv()).await.expect("in time").expect("the server runs"));
    }
    let expected = [("41", ""), ("42", traceparent), ("43", ""), ("47", "")];
    let expected = expected.map(|(id, traceparent)| (format!("GET /users/{id} HTTP/1.1"), traceparent.to_owned()));
    assert_eq!(seen, BTreeSet::from(expected));
    // The messages are handled in their order: there is no request for the others.
    assert!(requests.try_recv().is_err());
}
