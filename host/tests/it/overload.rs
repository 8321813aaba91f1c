//! More requests than the processor can serve, and requests that wait for a place or for something else.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use crate::gate::{Gate, OPEN};
use crate::host::{DEADLINE, Host};
use crate::metrics::{Measured, refused};

/// One place for a request, and two in the queue.
const SMALL: [&str; 6] = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1", "--max-queue", "2"];

/// The default.
const CONTROLLED: [&str; 2] = ["--max-overload-wait", "5ms"];

/// A request that computes for some milliseconds.
const HEAVY: &str = "/allocate?mib=8";

#[tokio::test]
async fn requests_whose_clients_have_gone_do_not_wait() {
    let gate = Gate::start().await;
    let measured = Measured::start(&SMALL).await;
    let (host, path) = (&measured.host, gate.through("/fetch?"));
    let waiting = |count| measured.wait_for("tumbler_host_requests_waiting", &[("component", "probe")], count);
    let others = async {
        gate.wait_for(1).await;
        {
            let mut impatient = (0..2).map(|_| host.get(&path)).collect::<FuturesUnordered<_>>();
            tokio::select! {
                _ = impatient.next() => panic!("the gate is closed"),
                () = waiting(2.0) => {}
            }
        }
        // Their connections are closed now.
        waiting(0.0).await;
        let patient = join_all((0..2).map(|_| host.get(&path)));
        let open = async {
            waiting(2.0).await;
            gate.open();
        };
        let (patient, ()) = tokio::join!(patient, open);
        patient.iter().for_each(|response| response.assert_body(OPEN));
    };
    let (first, ()) = tokio::join!(host.get(&path), others);
    first.assert_body(OPEN);
}

#[tokio::test]
async fn a_request_that_finds_no_place_in_time_is_refused() {
    let gate = Gate::start().await;
    let measured = Measured::start(&[&SMALL[..], &["--max-queue-wait", "300ms"]].concat()).await;
    let path = gate.through("/fetch?");
    let others = async {
        gate.wait_for(1).await;
        measured.host.get(&path).await.assert_problem(503);
        measured.wait_for("tumbler_host_requests_refused_total", &refused("wait"), 1.0).await;
        gate.open();
    };
    let (first, ()) = tokio::join!(measured.host.get(&path), others);
    first.assert_body(OPEN);
}

#[tokio::test]
async fn requests_that_wait_inside_of_a_component_are_no_overload() {
    let gate = Gate::start().await;
    let host = Host::start(&CONTROLLED).await;
    let path = gate.through("/fetch?");
    let mut long = FuturesUnordered::new();
    // A few at a time, so that they do not count as a burst, either.
    for arrived in (25..=500).step_by(25) {
        long.extend((0..25).map(|_| host.get(&path)));
        tokio::select! {
            _ = long.next() => panic!("the gate is closed"),
            () = gate.wait_for(arrived) => {}
        }
    }
    for _ in 0..100 {
        for response in join_all((0..4).map(|_| host.get("/hello"))).await {
            response.assert_body("hello");
        }
    }
    gate.open();
    while let Some(response) = long.next().await {
        response.assert_body(OPEN);
    }
}

/// Keeps 300 heavy requests under way until `enough` responses are 200, and returns how many were 503.
async fn flood(host: &Host, enough: usize) -> usize {
    let mut responses = (0..300).map(|_| host.get(HEAVY)).collect::<FuturesUnordered<_>>();
    let (mut served, mut refused) = (0, 0);
    while served < enough {
        let response = timeout(DEADLINE, responses.next()).await.expect("a response").expect("there are more");
        if response.status == 503 {
            response.assert_problem(503);
            refused += 1;
        } else {
            response.assert_body(&(8 << 20).to_string());
            served += 1;
        }
        responses.push(host.get(HEAVY));
    }
    refused
}

#[tokio::test]
async fn under_overload_the_host_serves_what_it_can_and_refuses_the_rest() {
    let host = Host::start(&CONTROLLED).await;
    let refuses = async { while flood(&host, 200).await == 0 {} };
    timeout(DEADLINE, refuses).await.expect("some requests are refused");
    // The requests of the flood are gone with their connections.
    let again = async {
        while host.get("/hello").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, again).await.expect("served again");
}

#[tokio::test]
async fn overload_control_can_be_turned_off() {
    let host = Host::start(&["--max-overload-wait", "0", "--max-queue-wait", "600s"]).await;
    assert_eq!(flood(&host, 600).await, 0);
}
