//! `--profile counts`: the host prints at the end what a request costs.

use dev_servers::RedisServer;

use crate::host::Host;

/// Starts a host that counts, sends one request to `/redis`, which calls Redis many times, and returns what the host
/// prints at its end.
async fn counts() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let url = format!("redis_url={}", redis.url());
    let mut host = Host::start(&["--profile", "counts", "--variable", &url]).await;
    assert_eq!(host.get("/redis").await.status, 200);
    assert!(host.terminate().await.success());
    host.wait_for_line("probe: 1 requests").await;
    // The table is written at once, and what follows is part of it.
    host.wait_for_line("1.00 waitable sets").await;
    host.lines_so_far().await
}

#[tokio::test]
async fn instructions_calls_and_resumptions_are_counted() {
    let lines = counts().await;
    let count = |name: &str| -> f64 {
        let line = lines.iter().find(|line| line.trim_end().ends_with(name));
        let line = line.unwrap_or_else(|| panic!("no line of {name} in\n{}", lines.join("\n")));
        line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a count")
    };
    assert!(count(" instructions") > 1_000.0);
    assert_eq!(count(" redis.[static]connection.open"), 1.0);
    assert_eq!(count(" redis.[method]connection.execute"), 4.0);
    // Each of these commands waits for the network.
    assert!(count(" resumptions") >= 4.0);
}
