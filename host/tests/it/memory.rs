//! `--max-memory`: what the host does when its memory becomes short.

use std::time::Duration;

use tokio::time::timeout;

use crate::gate::Gate;
use crate::host::{DEADLINE, Host, Response};
use crate::metrics::{Measured, refused};

/// Compiles the components, so that later hosts find them in the cache: compiling takes memory of its own.
async fn fill_compilation_cache() {
    drop(Host::start(&[]).await);
}

/// GETs a path until the response has this status.
async fn get_until(host: &Host, path: &str, status: u16) -> Response {
    let responses = async {
        loop {
            let response = host.get(path).await;
            if response.status == status {
                return response;
            }
            response.assert_problem(503);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, responses).await.unwrap_or_else(|_| panic!("no response with status {status}"))
}

#[tokio::test]
async fn while_memory_is_short_new_requests_get_503_and_those_accepted_before_go_on() {
    fill_compilation_cache().await;
    let gate = Gate::start().await;
    // Short above 448 MiB. The idle timeout is longer than the test.
    let measured = Measured::start(&["--max-memory", "512M", "--idle-instance-timeout", "600s"]).await;
    let host = &measured.host;
    measured.wait_for("tumbler_host_memory_limit_bytes", &[], f64::from(512 << 20)).await;
    let path = gate.through("/allocate?mib=450&");
    let others = async {
        gate.wait_for(1).await;
        host.wait_for_line("memory is short: ").await;
        host.get("/hello").await.assert_problem(503);
        measured.wait_for("tumbler_host_requests_refused_total", &refused("memory"), 1.0).await;
        assert_eq!(host.get("/fixed").await.status, 203, "the host itself responds");
        host.get("/.well-known/spin/health").await.assert_body("OK");
        gate.open();
    };
    let (accepted, ()) = tokio::join!(host.get(&path), others);
    accepted.assert_body(&(450 << 20).to_string());
    // The instance with the memory has nothing to do: it ends, and its memory is free.
    get_until(host, "/count", 200).await.assert_body("1 0");
    host.wait_for_line("memory is no longer short: ").await;
}

#[tokio::test]
async fn an_instance_that_needs_more_than_the_host_has_fails_alone() {
    fill_compilation_cache().await;
    let gate = Gate::start().await;
    let host = Host::start(&["--max-memory", "256M", "--max-instance-concurrent-reuse-count", "1"]).await;
    let path = gate.through("/fetch?");
    let others = async {
        gate.wait_for(1).await;
        host.get("/allocate?mib=400").await.assert_problem(503);
        host.wait_for_line("could not allocate memory because the host has no more").await;
        get_until(&host, "/hello", 200).await.assert_body("hello");
        gate.open();
    };
    let (other, ()) = tokio::join!(host.get(&path), others);
    other.assert_body(crate::gate::OPEN);
}
