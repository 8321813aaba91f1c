//! Instances: reuse, isolation, limits.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::program::Host;

#[tokio::test]
async fn an_instance_is_used_again_up_to_its_share() {
    let host = Host::start(&["--max-instance-reuse-count", "3"]);
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(host.get("/count").await.body);
    }
    assert_eq!(counts, ["1 0", "2 0", "3 0", "1 0", "2 0", "3 0", "1 0"]);
}

#[tokio::test]
async fn one_means_a_fresh_instance_each_time() {
    let host = Host::start(&["--max-instance-reuse-count", "1"]);
    for answer in join_all((0..50).map(|_| host.get("/count"))).await {
        answer.assert_body("1 0");
    }
}

/// Has `count` requests for `path`, 3 s each, keep two instances that have had their share, and 20 others come at once.
async fn others_find_room_beside(count: usize, path: &str) {
    let host = Host::start(&["--max-instances", "2", "--max-instance-reuse-count", "3"]);
    let slow = async { join_all((0..count).map(|_| host.get(path))).await };
    let started = Instant::now();
    let quick = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for answer in join_all((0..20).map(|_| host.get("/hello"))).await {
            answer.assert_body("hello");
        }
        started.elapsed()
    };
    let (slow, took) = tokio::join!(slow, quick);
    slow.iter().for_each(|answer| assert_eq!(answer.status, 200, "{answer:?}"));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn an_instance_that_long_requests_keep_goes_on() {
    others_find_room_beside(4, "/sleep?ms=3000").await;
}

#[tokio::test]
async fn an_instance_that_open_bodies_keep_goes_on() {
    others_find_room_beside(6, "/stream?pieces=30&pause-ms=100").await;
}

#[tokio::test]
async fn an_instance_that_works_on_after_its_answers_goes_on() {
    others_find_room_beside(6, "/later?ms=3000").await;
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let host = Host::start(&["--idle-instance-timeout", "150ms"]);
    host.get("/count").await.assert_body("1 0");
    host.get("/count").await.assert_body("2 0");
    tokio::time::sleep(Duration::from_millis(600)).await;
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn requests_are_answered_concurrently() {
    for arguments in [&["--max-instance-concurrent-reuse-count", "1"][..], &[]] {
        let host = Host::start(arguments);
        host.get("/hello").await.assert_body("hello");
        let started = Instant::now();
        for answer in join_all((0..40).map(|_| host.get("/sleep?ms=400"))).await {
            answer.assert_body("slept");
        }
        let took = started.elapsed();
        assert!(took < Duration::from_millis(1500), "{took:?} for 40 requests of 400 ms with {arguments:?}");
    }
}

#[tokio::test]
async fn a_trap_costs_nobody_else() {
    let host = Host::start(&["--max-instance-concurrent-reuse-count", "1"]);
    let sleepers = async { join_all((0..5).map(|_| host.get("/sleep?ms=500"))).await };
    let traps = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..5 {
            host.get("/trap").await.assert_problem(500);
            host.get("/hello").await.assert_body("hello");
        }
    };
    let (sleepers, ()) = tokio::join!(sleepers, traps);
    sleepers.iter().for_each(|answer| answer.assert_body("slept"));
}

#[tokio::test]
async fn a_trap_ends_the_other_requests_of_its_instance_as_problems() {
    let host = Host::start(&["--max-instances", "1"]);
    let sleeper = host.get("/sleep?ms=5000");
    let trap = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.get("/trap").await
    };
    let started = Instant::now();
    let (sleeper, trap) = tokio::join!(sleeper, trap);
    assert!(started.elapsed() < Duration::from_secs(4));
    sleeper.assert_problem(500);
    trap.assert_problem(500);
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn a_trap_after_the_header_breaks_the_connection() {
    let host = Host::start(&[]);
    let error = host.try_get("/stream-trap?pieces=2&pause-ms=20").await.expect_err("a broken body");
    assert!(error.starts_with("200"), "{error}");
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn an_error_code_is_a_problem_and_keeps_the_instance() {
    let host = Host::start(&[]);
    host.get("/error").await.assert_problem(500);
    host.get("/count").await.assert_body("2 0");
}

#[tokio::test]
async fn a_request_that_waits_too_long_is_given_up_alone() {
    let host = Host::start(&["--request-timeout", "400ms"]);
    let early = host.get("/sleep?ms=10000");
    let late = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.get("/sleep?ms=300").await
    };
    let started = Instant::now();
    let (early, late) = tokio::join!(early, late);
    early.assert_problem(500);
    late.assert_body("slept");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn a_component_that_computes_for_ever_is_stopped_and_does_not_hold_up_its_core() {
    let host = Host::start(&["--request-timeout", "1s"]);
    host.get("/hello").await.assert_body("hello");
    let others = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let started = Instant::now();
        for _ in 0..5 {
            host.get("/hello").await.assert_body("hello");
        }
        started.elapsed()
    };
    let (stuck, took) = tokio::join!(host.get("/spin"), others);
    stuck.assert_problem(500);
    assert!(took < Duration::from_millis(700), "{took:?} for 5 requests beside a computation");
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn memory_is_capped() {
    let host = Host::start(&["--max-instance-memory", "67108864"]);
    host.get("/allocate?mib=32").await.assert_body(&(32 << 20).to_string());
    host.get("/allocate?mib=100").await.assert_problem(500);
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn too_many_waiting_requests_are_refused_at_once() {
    let host = Host::start(&["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1", "--max-queue", "2"]);
    host.get("/hello").await.assert_body("hello");
    let mut statuses = Vec::new();
    for answer in join_all((0..6).map(|_| host.get("/sleep?ms=300"))).await {
        if answer.status == 503 {
            answer.assert_problem(503);
            assert_eq!(answer.headers["retry-after"], "1");
        }
        statuses.push(answer.status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503, 503, 503]);
}

#[tokio::test]
async fn work_goes_on_after_the_answer() {
    let host = Host::start(&["--idle-instance-timeout", "100ms"]);
    host.get("/later?ms=400").await.assert_body("answered");
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Twice the idle timeout has passed, but the instance is not idle.
    host.get("/count").await.assert_body("2 0");
    host.wait_for_line("finished later");
}

#[tokio::test]
async fn an_instance_at_its_share_finishes_its_work() {
    let host = Host::start(&["--max-instance-reuse-count", "1"]);
    host.get("/later?ms=300").await.assert_body("answered");
    host.get("/count").await.assert_body("1 0");
    host.wait_for_line("finished later");
}

#[tokio::test]
async fn work_after_the_answer_has_the_request_timeout_too() {
    let host = Host::start(&["--request-timeout", "200ms"]);
    host.get("/later?ms=5000").await.assert_body("answered");
    host.wait_for_line("did not finish in time");
    host.get("/count").await.assert_body("1 0");
}

#[tokio::test]
async fn an_instance_that_cannot_be_made_is_a_problem_and_not_tried_all_the_time() {
    let host = Host::start(&["--max-instance-memory", "1000"]);
    for _ in 0..20 {
        host.get("/hello").await.assert_problem(500);
    }
    host.get("/fixed").await;
    let tries = host.lines_so_far().iter().filter(|line| line.contains("cannot be instantiated")).count();
    assert!((1..=3).contains(&tries), "{tries} tries for 20 requests");
    // After the pause it is tried again.
    tokio::time::sleep(Duration::from_millis(900)).await;
    host.get("/hello").await.assert_problem(500);
    host.wait_for_line("cannot be instantiated");
}
