//! The Redis server: start, kill, restart, pause, and which data a dump brings back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use dev_servers::{RedisOptions, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one inline command; returns the reply, or `None` if none comes within 300 ms.
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
async fn a_clean_stop_saves_the_data_and_a_kill_never_brings_old_data_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start_saved(folder.path(), RedisOptions::cache()).await.unwrap();
    ask(&server, "SET version 1").await.unwrap();
    server.stop_and_save().await.unwrap();

    let mut server = RedisServer::start_saved(folder.path(), RedisOptions::cache()).await.unwrap();
    assert_eq!(ask(&server, "GET version").await.unwrap(), "$1\r\n1\r\n");
    ask(&server, "SET version 2").await.unwrap();
    server.kill().await.unwrap();
    drop(server);

    let server = RedisServer::start_saved(folder.path(), RedisOptions::cache()).await.unwrap();
    assert_eq!(ask(&server, "GET version").await.unwrap(), "$-1\r\n");
}

#[tokio::test]
async fn a_server_with_a_password_refuses_clients_without_it_and_hides_it_from_other_users() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedisOptions::locks().password("5ec2e7".to_owned());
    let mut server = RedisServer::start_with(folder.path(), options.clone()).await.unwrap();
    assert_eq!(server.url(), format!("redis://default:5ec2e7@127.0.0.1:{}", server.port()));
    server.restart().await.unwrap();
    assert!(ask(&server, "GET key").await.unwrap().starts_with("-NOAUTH"));
    assert_eq!(ask(&server, "AUTH 5ec2e7").await.unwrap(), "+OK\r\n");
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", server.id()));
    assert!(!arguments.is_ok_and(|arguments| arguments.contains("5ec2e7")));
    let config = std::fs::metadata(folder.path().join("redis.conf")).unwrap();
    assert_eq!(config.permissions().mode() & 0o777, 0o600);
    server.stop_and_save().await.unwrap();
    RedisServer::start_saved(folder.path(), options).await.unwrap();
}

#[tokio::test]
async fn a_server_for_locks_evicts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start_with(folder.path(), RedisOptions::locks()).await.unwrap();
    assert_eq!(ask(&server, "CONFIG GET maxmemory-policy").await.unwrap().lines().last(), Some("noeviction"));
    let server = RedisServer::start(folder.path()).await.unwrap();
    assert_eq!(ask(&server, "CONFIG GET maxmemory-policy").await.unwrap().lines().last(), Some("allkeys-lru"));
}

#[tokio::test]
async fn a_broken_dump_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dump.rdb"), "not a dump").unwrap();
    let server = RedisServer::start_saved(folder.path(), RedisOptions::cache()).await.unwrap();
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
async fn after_an_interrupted_restart_the_new_server_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = RedisServer::start(folder.path()).await.unwrap();
    let first = server.id();
    // Written by a shell: if this process wrote the file, a child forked meanwhile could hold it open (ETXTBSY).
    let write = r#"printf '%s\n' '#!/bin/sh' 'echo $$ >"${0%/*}/id"' 'exec sleep 60' >silent && chmod +x silent"#;
    assert!(Command::new("sh").args(["-c", write]).current_dir(folder.path()).status().unwrap().success());
    let (silent, id) = (folder.path().join("silent"), folder.path().join("id"));
    let started = async {
        while !std::fs::read_to_string(&id).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::select! {
        replaced = server.replace(&silent) => panic!("a server that never answers was ready: {replaced:?}"),
        () = started => {}
    }
    assert_ne!(server.id(), first);
    assert_eq!(std::fs::read_to_string(&id).unwrap().trim(), server.id().to_string());
    tokio::time::timeout(Duration::from_secs(10), server.stop_and_save()).await.unwrap().unwrap();
}
