//! The Redis server's life: start, kill, restart, pause, and what a dump may bring back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use dev_servers::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one inline command; the whole answer, or `None` if none comes within 300 ms.
async fn ask(server: &RedisServer, command: &str) -> Option<String> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut answer)).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&answer[..read]).into_owned())
}

#[tokio::test]
async fn a_restarted_server_is_empty_and_on_the_same_port() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = RedisServer::start(folder.path()).await.unwrap();
    let url = server.url();
    assert_eq!(ask(&server, "SET key value").await.unwrap(), "+OK\r\n");
    server.kill().await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "a killed server accepts connections");
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(ask(&server, "GET key").await.unwrap(), "$-1\r\n");
}

#[tokio::test]
async fn a_paused_server_accepts_and_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path()).await.unwrap();
    server.pause();
    assert_eq!(ask(&server, "PING").await, None);
    server.resume();
    assert_eq!(ask(&server, "PING").await.unwrap(), "+PONG\r\n");
}

#[tokio::test]
async fn a_clean_stop_keeps_the_data_and_a_kill_never_brings_old_data_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start_kept(folder.path()).await.unwrap();
    ask(&server, "SET version 1").await.unwrap();
    server.stop_and_keep().await.unwrap();

    let mut server = RedisServer::start_kept(folder.path()).await.unwrap();
    assert_eq!(ask(&server, "GET version").await.unwrap(), "$1\r\n1\r\n");
    ask(&server, "SET version 2").await.unwrap();
    server.kill().await.unwrap();
    drop(server);

    let server = RedisServer::start_kept(folder.path()).await.unwrap();
    assert_eq!(ask(&server, "GET version").await.unwrap(), "$-1\r\n");
}

#[tokio::test]
async fn a_broken_dump_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dump.rdb"), "not a dump").unwrap();
    let server = RedisServer::start_kept(folder.path()).await.unwrap();
    assert_eq!(ask(&server, "DBSIZE").await.unwrap(), ":0\r\n");
}

#[tokio::test]
async fn dropping_the_handle_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path()).await.unwrap();
    let port = server.port();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn a_restart_that_is_cut_short_leaves_its_server_to_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = RedisServer::start(folder.path()).await.unwrap();
    let first = server.id();
    // By a shell: a file that this process has open for writing cannot be run by another thread's child.
    let write = r#"printf '%s\n' '#!/bin/sh' 'echo $$ >"${0%/*}/id"' 'exec sleep 60' >silent && chmod +x silent"#;
    assert!(Command::new("sh").args(["-c", write]).current_dir(folder.path()).status().unwrap().success());
    let (silent, id) = (folder.path().join("silent"), folder.path().join("id"));
    let started = async {
        while !std::fs::read_to_string(&id).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::select! {
        replaced = server.replace(&silent) => panic!("it is never ready, yet {replaced:?}"),
        () = started => {}
    }
    assert_ne!(server.id(), first);
    assert_eq!(std::fs::read_to_string(&id).unwrap().trim(), server.id().to_string());
    tokio::time::timeout(Duration::from_secs(10), server.stop_and_keep()).await.unwrap().unwrap();
}
