//! From start to end: output, signals, connections that go away.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Host;

#[tokio::test]
async fn a_signal_lets_requests_end_and_closes_idle_connections() {
    let mut host = Host::start(&[]);
    let mut idle = TcpStream::connect(host.authority()).await.expect("listens");
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut buffer = vec![0; 1024];
    assert_ne!(idle.read(&mut buffer).await.expect("an answer"), 0);

    let mut busy = TcpStream::connect(host.authority()).await.expect("listens");
    busy.write_all(b"GET /sleep?ms=800 HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(200)).await;

    let started = Instant::now();
    let ended = host.terminate();
    let closed = async {
        assert_eq!(idle.read(&mut buffer).await.expect("closed in order"), 0);
        started.elapsed()
    };
    let answered = async {
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.expect("closed in order");
        answer
    };
    let (status, closed_after, answer) = tokio::join!(ended, closed, answered);
    assert!(status.success(), "{status}");
    assert!(closed_after < Duration::from_millis(400), "{closed_after:?}");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("slept"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(TcpStream::connect(host.authority()).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_signal_lets_work_after_the_answer_end() {
    let mut host = Host::start(&[]);
    host.get("/later?ms=500").await.assert_body("answered");
    let status = host.terminate().await;
    assert!(status.success(), "{status}");
    host.wait_for_line("finished later");
}

#[tokio::test]
async fn clients_that_go_away_leave_nothing_behind() {
    let host = Host::start(&["--max-instances", "1", "--max-instance-concurrent-reuse-count", "2", "--max-queue", "8"]);
    for _ in 0..8 {
        let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
        stream.write_all(b"GET /sleep?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = Instant::now();
    // Two are in the instance; those that were waiting are not even begun.
    let answer = host.get("/count").await;
    answer.assert_body("3 0");
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_components_print_is_prefixed() {
    let host = Host::start(&[]);
    host.get("/print").await.assert_body("printed");
    let line = host.wait_for_line("on standard");
    assert!(line.starts_with("[probe] on standard "), "{line}");
    let line = host.wait_for_line("on standard");
    assert!(line.starts_with("[probe] on standard "), "{line}");
}

#[tokio::test]
async fn quiet_means_quiet() {
    let host = Host::start(&["--quiet"]);
    host.get("/print").await.assert_body("printed");
    host.get("/trap").await.assert_problem(500);
    // The host's own words still come, and nothing of the component's before them.
    let line = host.wait_for_line("[probe] ");
    assert!(line.contains("failed"), "{line}");
}

#[tokio::test]
async fn the_routes_are_announced() {
    let host = Host::start(&[]);
    let mut routes = vec![host.wait_for_line("probe: "), host.wait_for_line("Does what it is told")];
    routes.iter_mut().for_each(|line| *line = line.replace(&host.url, "URL"));
    assert!(routes[0].starts_with("  probe: URL"), "{routes:?}");
    assert_eq!(routes[1], "    Does what it is told");
}

#[tokio::test]
async fn a_second_start_is_quick() {
    drop(Host::start(&[]));
    let started = Instant::now();
    let host = Host::start(&[]);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} from the compilation cache");
    host.get("/hello").await.assert_body("hello");
}
