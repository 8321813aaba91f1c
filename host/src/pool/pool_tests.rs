//! Tests of the pool. Instead of real instances, the tests take the requests.

use http_body_util::{BodyExt, Empty};

use super::super::limits::SMALL;
use super::*;

/// A pool, and how many instances it has started.
fn pool(limits: Limits) -> (Rc<Pool>, Rc<Cell<usize>>) {
    let started = Rc::new(Cell::new(0));
    let count = started.clone();
    (Rc::new(Pool::new(limits, Recorder::default(), move |_| count.set(count.get() + 1))), started)
}

fn request() -> Request<WasiBody> {
    Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
}

/// Takes requests as an instance does.
fn take_all(pool: &Pool, slot: &Slot) -> usize {
    let mut taken = 0;
    while slot.free(&pool.limits) > 0
        && let Some(job) = pool.take()
    {
        slot.take_request(job.reply, job.deadline);
        taken += 1;
    }
    taken
}

#[test]
fn as_many_instances_are_started_as_the_requests_need() {
    let (pool, started) = pool(Limits { instances: 3, queue: 100, ..SMALL });
    let responses: Vec<_> = (0..3).map(|_| pool.submit(request())).collect();
    assert_eq!(started.get(), 2, "each serves two at a time");
    let more: Vec<_> = (0..97).map(|_| pool.submit(request())).collect();
    assert_eq!(started.get(), 3, "the limit");
    drop((responses, more));
}

#[test]
fn a_full_queue_refuses_and_requests_of_clients_that_have_gone_are_skipped() {
    let (pool, _) = pool(Limits { queue: 2, ..SMALL });
    let (first, _second) = (pool.submit(request()), pool.submit(request()));
    let mut third = pool.submit(request());
    assert!(matches!(third.try_recv(), Ok(Err(CallError::Overloaded))));
    drop(first);
    let slot = Rc::new(Slot::default());
    pool.started(slot.clone());
    assert_eq!(take_all(&pool, &slot), 1);
    assert!(!pool.has_waiting());
}

#[test]
fn at_the_instance_limit_an_instance_kept_alive_by_a_request_serves_more_than_its_limit() {
    let (pool, started) = pool(Limits { queue: 100, ..SMALL });
    let _responses: Vec<_> = (0..SMALL.reuse + 1).map(|_| pool.submit(request())).collect();
    let slot = Rc::new(Slot::default());
    pool.started(slot.clone());
    assert_eq!(take_all(&pool, &slot), 2);
    slot.in_flight.remove(0);
    assert_eq!(take_all(&pool, &slot), 1);
    slot.in_flight.remove(0);
    assert_eq!(take_all(&pool, &slot), 0, "at its limit");
    pool.dispatch();
    assert_eq!(take_all(&pool, &slot), 1);
    assert_eq!(started.get(), 1);
}

#[test]
fn after_a_failure_to_start_requests_are_refused_until_the_pause_is_over() {
    let (pool, started) = pool(Limits { queue: 100, ..SMALL });
    let mut waiting = pool.submit(request());
    // The longest pause: the test must not take longer.
    pool.failures.set(10);
    pool.not_started();
    let mut later = pool.submit(request());
    for response in [&mut waiting, &mut later] {
        assert!(matches!(response.try_recv(), Ok(Err(CallError::NotInstantiated))));
    }
    assert_eq!(started.get(), 1);
}
