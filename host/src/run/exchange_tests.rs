//! When a connection is idle, and what it waits for.

use super::*;

#[test]
fn a_connection_is_idle_when_the_response_has_been_sent() {
    let exchange = Exchange::default();
    assert!(exchange.is_idle());
    let answering = exchange.start();
    exchange.flushed();
    assert!(!exchange.is_idle());
    drop(answering);
    assert!(!exchange.is_idle());
    exchange.flushed();
    assert!(exchange.is_idle());
}

#[test]
fn a_body_that_is_still_read_keeps_the_connection_busy() {
    let exchange = Exchange::default();
    drop(exchange.start());
    exchange.set(READING);
    exchange.flushed();
    assert!(!exchange.is_idle());
    // Nothing makes hyper flush again before the next request.
    exchange.clear(READING);
    assert!(exchange.is_idle());
}

#[test]
fn a_connection_waits_for_one_thing_at_a_time() {
    let exchange = Exchange::default();
    let phase = || exchange.seen().phase;
    assert_eq!(phase(), Phase::Silent);
    exchange.started();
    assert_eq!(phase(), Phase::Header);
    let answering = exchange.start();
    assert_eq!(phase(), Phase::Busy);
    exchange.set_waiting_for_body(true);
    assert_eq!(phase(), Phase::Body);
    exchange.set_waiting_for_body(false);
    drop(answering);
    exchange.set_blocked(true);
    assert_eq!(exchange.seen(), Seen { phase: Phase::Blocked, requests: 1, progress: 0 });
    exchange.set_blocked(false);
    exchange.set_blocked(true);
    assert_eq!(exchange.seen(), Seen { phase: Phase::Blocked, requests: 1, progress: 1 });
    exchange.set_blocked(false);
    exchange.flushed();
    assert_eq!(exchange.seen(), Seen { phase: Phase::Idle, requests: 1, progress: 0 });
}

#[test]
fn a_fragment_counts_for_one_request() {
    let exchange = Exchange::default();
    exchange.found_fragment();
    assert!(exchange.take_fragment() && !exchange.take_fragment());
}
