//! The limits of connections, and of open files.

use std::process::{Command, Stdio};
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::Gate;
use crate::host::{DEADLINE, Host, MANIFEST, NEEDED, command};
use crate::metrics::Measured;

async fn connect(host: &Host) -> TcpStream {
    TcpStream::connect(host.authority()).await.expect("listens")
}

/// Sends a GET request for `path`.
async fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.expect("sent");
}

/// Reads until `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let read = timeout(DEADLINE, stream.read_buf(&mut text)).await.expect("an end").expect("received");
        assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&text));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A connection that has had a request and is kept.
async fn kept(host: &Host) -> TcpStream {
    let mut stream = connect(host).await;
    ask(&mut stream, "/fixed").await;
    read_until(&mut stream, "fixed").await;
    stream
}

/// What arrives until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut text)).await.expect("closed").expect("closed in order");
    text
}

#[tokio::test]
async fn at_the_limit_idle_connections_are_closed_for_new_ones() {
    let measured = Measured::start(&["--max-connections", "3"]).await;
    let host = &measured.host;
    let mut first = kept(host).await;
    let mut others = Vec::new();
    for _ in 0..50 {
        others.push(kept(host).await);
    }
    assert_eq!(rest(&mut first).await, "");
    let reason = [("reason", "made_room")];
    measured.wait_for("tumbler_host_connections", &[], 3.0).await;
    assert_eq!(measured.figures().await.value("tumbler_host_connections_closed_total", &reason), 48.0);
    host.wait_for_line("3 connections are open (--max-connections)").await;
    drop(others);
    host.wait_for_line("connections are open, which is below the limit again").await;
    let more = host.lines_so_far().await.into_iter().filter(|line| line.contains("connections are open")).count();
    assert_eq!(more, 0, "one line when it begins and one when it ends");
}

#[tokio::test]
async fn at_the_limit_with_requests_on_all_connections_a_new_one_is_503() {
    let gate = Gate::start().await;
    let measured = Measured::start(&["--max-connections", "2"]).await;
    let host = &measured.host;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(host).await;
        let path = gate.through("/fetch?");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        busy.push(stream);
    }
    gate.wait_for(2).await;
    for _ in 0..5 {
        let mut refused = connect(host).await;
        // As a client that has not yet noticed that it was refused.
        ask(&mut refused, "/hello").await;
        let response = rest(&mut refused).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("\r\nretry-after: 1\r\n") && response.contains("\r\nconnection: close\r\n"));
    }
    let reason = [("reason", "refused")];
    assert_eq!(measured.figures().await.value("tumbler_host_connections_closed_total", &reason), 5.0);
    gate.open();
    for mut stream in busy {
        assert!(rest(&mut stream).await.contains("200 OK\nopen"));
    }
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn each_address_has_a_limit() {
    let measured = Measured::start(&["--max-connections-per-address", "2"]).await;
    let mut kept = join_all((0..2).map(|_| kept(&measured.host))).await;
    let mut refused = connect(&measured.host).await;
    let response = rest(&mut refused).await;
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("Your address"), "{response}");
    let reason = [("reason", "refused_address")];
    assert_eq!(measured.figures().await.value("tumbler_host_connections_closed_total", &reason), 1.0);
    kept.pop();
    measured.wait_for("tumbler_host_connections", &[], 1.0).await;
    measured.host.get("/hello").await.assert_body("hello");
}

/// The host with these limits of open files.
fn with_open_files(soft: u32, hard: u32, arguments: &[&str]) -> (Command, tempfile::TempDir) {
    let arguments: Vec<&str> = NEEDED.iter().chain(arguments).copied().collect();
    let (host, folder) = command(MANIFEST, &arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"")]);
    shell.arg(host.get_program()).args(host.get_args());
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (shell, folder)
}

#[tokio::test]
async fn silent_connections_do_not_use_up_the_open_files() {
    let (shell, folder) = with_open_files(100, 300, &[]);
    let host = Host::run(shell, folder).await;
    // More than the process may open. Those that do not fit wait in the system's queue, or are refused.
    let silent = join_all((0..400).map(|_| connect(&host))).await;
    // After a second of silence, one of them makes room. An instance starts, which needs files of its own.
    let served = async {
        while !host.try_get("/hello").await.is_ok_and(|response| response.status == 200) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, served).await.expect("one of them makes room");
    host.wait_for_line("225 connections are open (--max-connections)").await;
    drop(silent);
    let failed = host.lines_so_far().await.into_iter().find(|line| line.contains("cannot"));
    assert_eq!(failed, None);
}

#[tokio::test]
async fn a_limit_that_the_open_files_do_not_allow_is_an_error_at_the_start() {
    let (shell, folder) = with_open_files(100, 300, &["--max-connections", "250"]);
    let host = Host::spawn(shell, folder);
    let line = host.wait_for_line("error: ").await;
    assert!(line.contains("--max-connections 250 needs a limit of at least 314 open files, but it is 300"), "{line}");
}
