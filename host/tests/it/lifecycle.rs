//! From start to end: output, signals, clients that close their connections.

use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::Gate;
use crate::host::{Host, MANIFEST, NEEDED, command};

/// Connects and sends a GET request for `path`.
async fn begin(host: &Host, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("sent");
    stream
}

#[tokio::test]
async fn after_a_signal_requests_are_finished_and_idle_connections_closed() {
    let gate = Gate::start().await;
    let mut host = Host::start(&[]).await;
    let address = host.authority().to_owned();
    let mut idle = begin(&host, "/hello").await;
    let mut buffer = vec![0; 1024];
    assert_ne!(idle.read(&mut buffer).await.expect("a response"), 0);
    let mut busy = begin(&host, &gate.through("/fetch?")).await;
    gate.wait_for(1).await;

    let rest = async {
        while idle.read(&mut buffer).await.expect("closed in order") > 0 {}
        gate.open();
        let mut response = String::new();
        busy.read_to_string(&mut response).await.expect("closed in order");
        response
    };
    let (status, response) = tokio::join!(host.terminate(), rest);
    assert!(status.success(), "{status}");
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("open"), "{response}");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn after_a_signal_work_after_the_response_is_finished() {
    let mut host = Host::start(&[]).await;
    host.get("/later?ms=500").await.assert_body("answered");
    let status = host.terminate().await;
    assert!(status.success(), "{status}");
    host.wait_for_line("finished later").await;
}

#[tokio::test]
async fn waiting_requests_of_closed_connections_are_not_served() {
    let gate = Gate::start().await;
    let limits = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "2", "--max-queue", "8"];
    let host = Host::start(&limits).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(begin(&host, &gate.through("/fetch?")).await);
    }
    gate.wait_for(2).await;
    drop(clients);
    // When later connections are served, the host has seen that these are closed.
    for _ in 0..10 {
        assert_eq!(host.get("/fixed").await.status, 203);
    }
    gate.open();
    // Two were served.
    host.get("/count").await.assert_body("3 0");
}

#[tokio::test]
async fn the_output_of_components_is_prefixed() {
    let host = Host::start(&[]).await;
    host.get("/print").await.assert_body("printed");
    for _ in 0..2 {
        let line = host.wait_for_line("on standard").await;
        assert!(line.starts_with("[probe] on standard "), "{line}");
    }
}

#[tokio::test]
async fn quiet_discards_the_output_of_components_only() {
    let host = Host::start(&["--quiet"]).await;
    host.get("/print").await.assert_body("printed");
    host.get("/trap").await.assert_problem(500);
    // The first line is the host's own.
    let line = host.wait_for_line("[probe] ").await;
    assert!(line.contains("failed"), "{line}");
}

#[tokio::test]
async fn components_see_whether_the_output_is_a_terminal() {
    let host = Host::start(&[]).await;
    host.get("/terminal").await.assert_body("false false");

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("named");
    let name = std::path::Path::new(name.to_str().expect("UTF-8"));
    let stderr = std::fs::File::options().read(true).write(true).open(name).expect("opens");
    let (mut command, folder) = command(MANIFEST, &NEEDED);
    command.stderr(stderr);
    let host = Host::run(command, folder).await;
    host.get("/terminal").await.assert_body("false true");
}

#[tokio::test]
async fn the_routes_are_announced() {
    let host = Host::start(&[]).await;
    let line = host.wait_for_line("probe: ").await.replace(&host.url, "URL");
    assert!(line.starts_with("  probe: URL"), "{line}");
    assert_eq!(host.wait_for_line("Does what").await, "    Does what a test asks for");
}

#[tokio::test]
async fn a_second_start_loads_compiled_components_from_the_cache() {
    let cache = tempfile::tempdir().expect("a folder");
    let start = async || {
        let (mut command, folder) = command(MANIFEST, &NEEDED);
        command.env("XDG_CACHE_HOME", cache.path());
        let started = Instant::now();
        let host = Host::run(command, folder).await;
        let took = started.elapsed();
        host.get("/hello").await.assert_body("hello");
        took
    };
    let first = start().await;
    let mut later = Duration::MAX;
    for _ in 0..3 {
        later = later.min(start().await);
    }
    assert!(later < first / 2, "{first:?}, then {later:?}");
}
