//! Tests of the pool. Instead of real instances, the tests take the requests.

use http_body_util::{BodyExt, Empty};
use tokio::task::LocalSet;

use super::super::limits::SMALL;
use super::*;

/// A pool, and how many instances it has started.
fn pool(limits: Limits) -> (Rc<Pool>, Rc<Cell<usize>>) {
    let started = Rc::new(Cell::new(0));
    let count = started.clone();
    let memory = Arc::new(Budget::new(1 << 30));
    (Rc::new(Pool::new(limits, Recorder::default(), memory, move |_| count.set(count.get() + 1))), started)
}

fn request() -> Request<WasiBody> {
    Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
}

/// Takes requests as an instance does.
fn take_all(pool: &Rc<Pool>, slot: &Slot) -> usize {
    let mut taken = 0;
    while slot.free(&pool.limits) > 0
        && let Some(job) = pool.take()
    {
        slot.take_request(job.reply, job.deadline);
        taken += 1;
    }
    taken
}

#[tokio::test]
async fn as_many_instances_are_started_as_the_requests_need() {
    LocalSet::new()
        .run_until(async {
            let (pool, started) = pool(Limits { instances: 3, queue: 100, ..SMALL });
            let responses: Vec<_> = (0..3).map(|_| pool.submit(request())).collect();
            assert_eq!(started.get(), 2, "each serves two at a time");
            let more: Vec<_> = (0..97).map(|_| pool.submit(request())).collect();
            assert_eq!(started.get(), 3, "the limit");
            drop((responses, more));
        })
        .await;
}

#[tokio::test]
async fn a_full_queue_refuses_until_a_client_has_gone() {
    LocalSet::new()
        .run_until(async {
            let (pool, _) = pool(Limits { queue: 2, ..SMALL });
            let (first, second) = (pool.submit(request()), pool.submit(request()));
            let mut third = pool.submit(request());
            assert!(matches!(third.response.try_recv(), Ok(Err(CallError::Overloaded))));
            drop(first);
            let mut fourth = pool.submit(request());
            assert!(fourth.response.try_recv().is_err(), "it waits in the place of the first");
            drop((second, fourth));
            assert!(!pool.has_waiting());
        })
        .await;
}

#[tokio::test]
async fn requests_of_clients_are_refused_while_memory_is_short_but_not_those_of_components() {
    LocalSet::new()
        .run_until(async {
            let (pool, _) = pool(Limits { queue: 2, ..SMALL });
            assert!(pool.memory.reserve(1 << 30));
            let mut refused = pool.submit(request());
            assert!(matches!(refused.response.try_recv(), Ok(Err(CallError::NoMemory))));
            assert!(pool.enqueue(request(), oneshot::channel().0).is_some());
            pool.memory.release(1 << 30);
            assert!(pool.submit(request()).response.try_recv().is_err(), "it waits");
        })
        .await;
}

#[tokio::test]
async fn at_the_instance_limit_an_instance_kept_alive_by_a_request_serves_more_than_its_limit() {
    LocalSet::new()
        .run_until(async {
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
        })
        .await;
}

#[tokio::test]
async fn after_a_failure_to_start_requests_are_refused_until_the_pause_is_over() {
    LocalSet::new()
        .run_until(async {
            let (pool, started) = pool(Limits { queue: 100, ..SMALL });
            let mut waiting = pool.submit(request());
            // The longest pause: the test must not take longer.
            (0..10).for_each(|_| pool.pause.begin());
            pool.not_started();
            let mut later = pool.submit(request());
            for response in [&mut waiting, &mut later] {
                assert!(matches!(response.response.try_recv(), Ok(Err(CallError::NotInstantiated))));
            }
            assert_eq!(started.get(), 1);
        })
        .await;
}
