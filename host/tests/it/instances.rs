//! Instances: how long they are reused, and that they do not affect each other.

use std::time::Duration;

use futures::future::join_all;

use crate::gate::{Gate, OPEN};
use crate::host::Host;

#[tokio::test]
async fn an_instance_is_reused_up_to_its_limit() {
    let host = Host::start(&["--max-instance-reuse-count", "3", "--idle-instance-timeout", "60s"]).await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(host.get("/count").await.body);
    }
    assert_eq!(counts, ["1 0", "2 0", "3 0", "1 0", "2 0", "3 0", "1 0"]);
}

#[tokio::test]
async fn with_a_limit_of_one_each_request_has_a_new_instance() {
    let host = Host::start(&["--max-instance-reuse-count", "1"]).await;
    for response in join_all((0..50).map(|_| host.get("/count"))).await {
        response.assert_body("1 0");
    }
}

/// Sends `count` requests that keep both instances alive at their limit of requests. 20 others must be answered
/// meanwhile.
async fn others_are_served_beside(count: usize, path: &str) {
    let gate = Gate::start().await;
    let host = Host::start(&["--max-instances", "2", "--max-instance-reuse-count", "3"]).await;
    let path = gate.through(path);
    let others = async {
        gate.wait_for(count).await;
        for response in join_all((0..20).map(|_| host.get("/hello"))).await {
            response.assert_body("hello");
        }
        gate.open();
    };
    let (long, ()) = tokio::join!(join_all((0..count).map(|_| host.get(&path))), others);
    long.iter().for_each(|response| assert_eq!(response.status, 200, "{response:?}"));
}

#[tokio::test]
async fn an_instance_that_long_requests_keep_alive_serves_others() {
    others_are_served_beside(4, "/fetch?").await;
}

#[tokio::test]
async fn an_instance_that_open_bodies_keep_alive_serves_others() {
    others_are_served_beside(6, "/stream?pieces=3&").await;
}

#[tokio::test]
async fn an_instance_that_works_after_its_responses_serves_others() {
    others_are_served_beside(6, "/later?").await;
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let host = Host::start(&["--idle-instance-timeout", "2s"]).await;
    host.get("/count").await.assert_body("1 0");
    host.get("/count").await.assert_body("2 0");
    tokio::time::sleep(Duration::from_secs(4)).await;
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn requests_are_served_concurrently() {
    for arguments in [&["--max-instance-concurrent-reuse-count", "1"][..], &[]] {
        let gate = Gate::start().await;
        let host = Host::start(arguments).await;
        let path = gate.through("/fetch?");
        let all_at_once = async {
            gate.wait_for(40).await;
            gate.open();
        };
        let (responses, ()) = tokio::join!(join_all((0..40).map(|_| host.get(&path))), all_at_once);
        responses.iter().for_each(|response| response.assert_body(OPEN));
    }
}

#[tokio::test]
async fn a_trap_does_not_affect_other_instances() {
    let gate = Gate::start().await;
    let host = Host::start(&["--max-instance-concurrent-reuse-count", "1"]).await;
    let path = gate.through("/fetch?");
    let traps = async {
        gate.wait_for(5).await;
        for _ in 0..5 {
            host.get("/trap").await.assert_problem(500);
            host.get("/hello").await.assert_body("hello");
        }
        gate.open();
    };
    let (others, ()) = tokio::join!(join_all((0..5).map(|_| host.get(&path))), traps);
    others.iter().for_each(|response| response.assert_body(OPEN));
}

#[tokio::test]
async fn a_trap_fails_the_other_requests_of_its_instance() {
    let never = Gate::start().await;
    let host = Host::start(&["--max-instances", "1"]).await;
    let trap = async {
        never.wait_for(1).await;
        host.get("/trap").await
    };
    let path = never.through("/fetch?");
    let (other, trap) = tokio::join!(host.get(&path), trap);
    other.assert_problem(500);
    trap.assert_problem(500);
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn a_trap_after_the_header_breaks_the_connection() {
    let host = Host::start(&[]).await;
    let error = host.try_get("/stream-trap?pieces=2&ms=20").await.expect_err("a broken body");
    assert!(error.starts_with("200"), "{error}");
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn an_error_code_is_a_problem_and_keeps_the_instance() {
    let host = Host::start(&["--idle-instance-timeout", "60s"]).await;
    host.get("/error").await.assert_problem(500);
    host.get("/count").await.assert_body("2 0");
}

#[tokio::test]
async fn an_instance_that_works_after_its_response_is_not_idle() {
    let gate = Gate::start().await;
    let host = Host::start(&["--idle-instance-timeout", "100ms"]).await;
    host.get(&gate.through("/later?")).await.assert_body("answered");
    gate.wait_for(1).await;
    // Several times the idle timeout.
    tokio::time::sleep(Duration::from_millis(500)).await;
    host.get("/count").await.assert_body("2 0");
    gate.open();
    host.wait_for_line("finished later").await;
}

#[tokio::test]
async fn an_instance_at_its_limit_finishes_its_work() {
    let gate = Gate::start().await;
    let host = Host::start(&["--max-instance-reuse-count", "1"]).await;
    host.get(&gate.through("/later?")).await.assert_body("answered");
    host.get("/count").await.assert_body("1 0");
    gate.open();
    host.wait_for_line("finished later").await;
}
