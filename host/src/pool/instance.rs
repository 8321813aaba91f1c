//! One instance: a wasmtime store whose event loop takes requests from the pool, several at a time.
//!
//! wasmtime cannot stop a single call in a store. When a request times out, its client gets an error, the instance
//! takes no more requests, and it is dropped when nobody waits for its other responses. A trap ends the store at once.
//! Other instances are not affected.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};

use super::job::{CallError, Job};
use super::limits::Limits;
use super::pool::Pool;
use super::slot::Slot;
use super::timer::{Activity, StopReason};
use crate::engine::profile::{self, Counts};
use crate::engine::{self, InstanceState, START_TIMEOUT};
use crate::interfaces::WorkerResources;
use crate::interfaces::http::Incoming;

/// A pool whose instances run `compiled`. Their output is discarded if `quiet`.
pub fn pool(
    limits: Limits,
    shared: Arc<WorkerResources>,
    component: ServicePre<InstanceState>,
    quiet: bool,
) -> Rc<Pool> {
    Rc::new(Pool::new(limits, shared.recorder.clone(), shared.memory.clone(), move |pool| {
        let state = InstanceState::new(&shared, limits.memory, quiet);
        tokio::task::spawn_local(run_instance(pool, engine::store(component.engine(), state), component.clone()));
    }))
}

/// Starts an instance and runs it to its end.
async fn run_instance(pool: Rc<Pool>, mut store: Store<InstanceState>, component: ServicePre<InstanceState>) {
    let shared = store.data().spin.shared.clone();
    let id = &shared.component.id;
    let started = tokio::time::timeout(START_TIMEOUT, component.instantiate_async(&mut store)).await;
    let service = match started {
        Ok(Ok(service)) => service,
        Ok(Err(error)) => {
            eprintln!("[{id}] cannot be instantiated: {error:?}");
            return pool.not_started();
        }
        Err(_) => {
            eprintln!("[{id}] cannot be instantiated: it takes longer than {START_TIMEOUT:?}");
            return pool.not_started();
        }
    };
    let counted = pool.recorder.instance();
    let slot = Rc::new(Slot::default());
    let key = pool.started(slot.clone());
    let counts = profile::counts_of(id);
    match run_event_loop(&mut store, &service, &slot, &pool, &counts).await {
        Ok(None | Some(StopReason::Idle)) => {}
        stopped => {
            slot.in_flight.bodies.break_all();
            match stopped {
                Ok(Some(StopReason::Abandoned)) => {
                    eprintln!("[{id}] was stopped: the clients of all its requests have closed their connections");
                }
                Ok(_) => eprintln!("[{id}] did not finish in time and was stopped: see --request-timeout"),
                Err(error) => {
                    pool.recorder.trapped();
                    eprintln!("[{id}] failed: {error:?}");
                    if store.data().is_host_full() {
                        eprintln!("[{id}] could not allocate memory because the host has no more: see --max-memory");
                        slot.in_flight.fail_all(&CallError::NoMemory);
                    }
                }
            }
        }
    }
    if let Some(counts) = counts {
        counts.add_instructions(&store);
    }
    slot.close();
    drop((store, counted));
    pool.ended(key);
}

/// Serves requests until the instance has reached its limit of requests, or must stop for the reason returned.
async fn run_event_loop(
    store: &mut Store<InstanceState>,
    service: &Service,
    slot: &Slot,
    pool: &Rc<Pool>,
    counts: &Option<Arc<Counts>>,
) -> wasmtime::Result<Option<StopReason>> {
    let limits = &pool.limits;
    let mut events = pin!(store.run_concurrent(async |accessor| serve_requests(accessor, service, slot, pool).await));
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    let mut armed: Option<Instant> = None;
    slot.timer.set_activity(Activity::Idle(Instant::now()), limits);
    poll_fn(|cx| {
        slot.set_waker(cx.waker());
        slot.event_loop_ran.set(false);
        if let Poll::Ready(result) = profile::during(counts, || events.as_mut().poll(cx)) {
            return Poll::Ready(result.flatten().map(|()| None));
        }
        // A component that computes, or that waits in a blocking call, blocks its whole event loop. Therefore the time
        // is checked here, outside of the event loop, and other instances take the waiting requests.
        slot.blocked.set(!slot.event_loop_ran.get());
        if slot.blocked.get() && pool.has_waiting() {
            pool.dispatch();
        }
        loop {
            if let Some(due) = slot.timer.due()
                && armed.is_none_or(|armed| due < armed)
            {
                timer.as_mut().reset(due.into());
                armed = Some(due);
            }
            if armed.is_none() || timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
            if let Some(reason) = slot.check_time(Instant::now(), limits) {
                return Poll::Ready(Ok(Some(reason)));
            }
        }
    })
    .await
}

/// Takes requests from the pool and calls the component, inside the store's event loop. Errors are traps: they end the
/// store.
async fn serve_requests(
    accessor: &Accessor<InstanceState>,
    service: &Service,
    slot: &Slot,
    pool: &Rc<Pool>,
) -> wasmtime::Result<()> {
    let limits = &pool.limits;
    let mut calls = FuturesUnordered::new();
    let function = *service.wasi_http_handler().func_handle().func();
    let take = |cx: &mut Context<'_>| -> Option<Job> {
        if slot.free(limits) == 0 || !pool.has_startable() {
            return None;
        }
        if accessor.poll_ready_for_concurrent_call(function, cx).is_pending() {
            // The component refuses calls for now (backpressure).
            slot.blocked.set(true);
            pool.dispatch();
            return None;
        }
        pool.take()
    };
    poll_fn(|cx| {
        slot.event_loop_ran.set(true);
        slot.blocked.set(false);
        loop {
            match calls.poll_next_unpin(cx) {
                Poll::Ready(Some(Err(trap))) => return Poll::Ready(Err(trap)),
                Poll::Ready(Some(Ok(()))) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            let Some(job) = take(cx) else { break };
            calls.push(call(accessor, service, slot, job));
        }
        if !calls.is_empty() {
            if slot.in_flight.timed_out() > 0 {
                slot.in_flight.bodies.wake_on_close(cx.waker());
                if !slot.in_flight.is_awaited() {
                    return Poll::Ready(Ok(()));
                }
            }
        } else if accessor.poll_no_interesting_tasks(cx).is_pending() {
            if !matches!(slot.timer.activity(), Activity::Finishing(_)) {
                slot.timer.set_activity(Activity::Finishing(Instant::now()), limits);
            }
        } else {
            if !slot.is_accepting(limits) || (pool.is_draining() && !pool.has_waiting()) {
                return Poll::Ready(Ok(()));
            }
            if !matches!(slot.timer.activity(), Activity::Idle(_)) {
                slot.timer.set_activity(Activity::Idle(Instant::now()), limits);
            }
        }
        // At its limit of requests and unable to end: other instances take the waiting requests, or this one's request
        // count is reset and it is woken.
        if !slot.is_accepting(limits) && pool.has_waiting() {
            pool.dispatch();
        }
        Poll::Pending
    })
    .await
}

/// Calls the component with one request and passes the response on. Only a trap is an error.
fn call<'a>(
    accessor: &'a Accessor<InstanceState>,
    service: &'a Service,
    slot: &'a Slot,
    job: Job,
) -> impl Future<Output = wasmtime::Result<()>> + use<'a> {
    profile::count_request();
    let key = slot.take_request(job.reply, job.deadline);
    let function = service.wasi_http_handler().func_handle();
    let started = accessor.with(|mut store| {
        let (request, transmitted) = Request::from_http(Incoming::hooks(), job.request);
        let request = store.get().http().table.push(request)?;
        Ok((function.start_call_concurrent(&mut store, (request,))?, transmitted))
    });
    async move {
        let (call, transmitted) = started.map_err(|error: wasmtime::Error| error)?;
        let (result,) = function.finish_call_concurrent(accessor, call).await?;
        let response = match result {
            Err(code) => Err(CallError::ErrorCode(format!("{code:?}"))),
            Ok(response) => accessor
                .with(|mut store| {
                    let response = store.get().http().table.delete(response)?;
                    let response = response.into_http(&mut store, transmitted)?;
                    Ok(response.map(|body| slot.in_flight.bodies.open(body)))
                })
                .map_err(|error: wasmtime::Error| CallError::ErrorCode(format!("{error:#}"))),
        };
        if let Some(reply) = slot.in_flight.remove(key) {
            let _ = reply.send(response);
        }
        Ok(())
    }
}
