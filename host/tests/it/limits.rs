//! Limits: time, memory, the queue, failures to start.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::gate::{Gate, OPEN};
use crate::host::{DEADLINE, Host};

#[tokio::test]
async fn a_request_that_times_out_does_not_affect_the_others_of_its_instance() {
    let (never, gate) = (Gate::start().await, Gate::start().await);
    let host = Host::start(&["--request-timeout", "4s"]).await;
    let early = async {
        let response = host.get(&never.through("/fetch?")).await;
        gate.open();
        response
    };
    // Its deadline is 2 s after that of the early one.
    let late = async {
        never.wait_for(1).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        host.get(&gate.through("/fetch?")).await
    };
    let (early, late) = tokio::join!(early, late);
    early.assert_problem(500);
    late.assert_body(OPEN);
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn an_endless_computation_is_stopped_and_does_not_block_its_core() {
    let host = Host::start(&["--request-timeout", "5s"]).await;
    host.get("/hello").await.assert_body("hello");
    let others = async {
        host.wait_for_line("computing").await;
        for _ in 0..5 {
            host.get("/hello").await.assert_body("hello");
        }
    };
    let mut computation = std::pin::pin!(host.get("/spin"));
    tokio::select! {
        biased;
        () = others => {}
        _ = &mut computation => panic!("5 requests take longer than the computation"),
    }
    computation.await.assert_problem(500);
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn memory_is_limited() {
    let host = Host::start(&["--max-instance-memory", "67108864"]).await;
    host.get("/allocate?mib=32").await.assert_body(&(32 << 20).to_string());
    host.get("/allocate?mib=100").await.assert_problem(500);
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn requests_are_refused_at_once_if_the_queue_is_full() {
    let gate = Gate::start().await;
    let limits = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1", "--max-queue", "2"];
    let host = Host::start(&limits).await;
    host.get("/hello").await.assert_body("hello");
    let path = gate.through("/fetch?");
    let mut responses: FuturesUnordered<_> = (0..6).map(|_| host.get(&path)).collect();
    // One is in the instance, two wait.
    for _ in 0..3 {
        responses.next().await.expect("six responses").assert_problem(503);
    }
    gate.open();
    for _ in 0..3 {
        responses.next().await.expect("six responses").assert_body(OPEN);
    }
}

#[tokio::test]
async fn work_after_the_response_has_the_request_timeout_too() {
    let never = Gate::start().await;
    let host = Host::start(&["--request-timeout", "2s"]).await;
    host.get(&never.through("/later?")).await.assert_body("answered");
    host.wait_for_line("did not finish in time").await;
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn after_a_failure_to_start_an_instance_the_next_try_comes_after_a_growing_pause() {
    let host = Host::start(&["--max-instance-memory", "1000"]).await;
    let started = Instant::now();
    for _ in 0..20 {
        host.get("/hello").await.assert_problem(500);
    }
    host.get("/fixed").await;
    host.wait_for_line("cannot be instantiated").await;
    let lines = host.lines_so_far().await;
    let tries = 1 + lines.iter().filter(|line| line.contains("cannot be instantiated")).count();
    // Before try n there were n - 1 pauses: 100 ms, 200 ms, 400 ms …
    let pauses = Duration::from_millis(100) * ((1 << (tries - 1)) - 1);
    assert!(pauses <= started.elapsed(), "{tries} tries for 20 requests");

    let again = async {
        loop {
            host.get("/hello").await.assert_problem(500);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        _ = host.wait_for_line("cannot be instantiated") => {}
        _ = again => {}
        () = tokio::time::sleep(DEADLINE) => panic!("no further try"),
    }
}
