//! One instance: a wasmtime store whose event loop takes requests from the pool, up to 16 at a time, up to 128 in all.
//!
//! Wasmtime cannot stop one call in a store: an answer that is late is given up, the instance takes no more requests,
//! and when no request is left in it that somebody waits for, it is dropped with all that is still running in it.
//! A trap ends the store at once. Neither touches other instances.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use wasmtime::component::Accessor;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::failure::Failure;
use crate::interfaces::http::Incoming;
use crate::pool::{Job, Pool};
use crate::slot::{Activity, Cut, Slot};
use crate::state::InstanceState;

/// An instance must have been made in this time.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The whole life of an instance, from its making. [`Pool::dispatch`] has counted it as starting.
pub async fn live(pool: Rc<Pool>) {
    let mut store = Store::new(&pool.engine, InstanceState::new(&pool.surroundings));
    store.limiter(|state| &mut state.limiter);
    // Interrupted at each tick, it lets the others on its core run, and its time is looked at.
    store.set_epoch_deadline(1);
    // tokio's own way to yield: the worker looks at its sockets before the component goes on.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    let id = &pool.surroundings.component.id;
    let started = tokio::time::timeout(START_TIMEOUT, pool.compiled.instantiate_async(&mut store)).await;
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
    let slot = Rc::new(Slot::default());
    let key = pool.started(slot.clone());
    let result = run(&mut store, &service, &slot, &pool).await;
    if !matches!(result, Ok(Ok(()) | Err(Cut::Idle))) {
        slot.bodies.break_all();
    }
    match result {
        Ok(Ok(()) | Err(Cut::Idle)) => {}
        Ok(Err(Cut::Late)) => eprintln!("[{id}] did not finish in time and was stopped"),
        Ok(Err(Cut::Abandoned)) => eprintln!("[{id}] was stopped: nobody waits for its answers any more"),
        Err(error) => eprintln!("[{id}] failed: {error:?}"),
    }
    slot.close();
    drop(store);
    pool.ended(key);
}

/// Answers requests until the instance has had its share, or must go.
async fn run(
    store: &mut Store<InstanceState>,
    service: &Service,
    slot: &Slot,
    pool: &Rc<Pool>,
) -> wasmtime::Result<Result<(), Cut>> {
    let limits = &pool.limits;
    let mut events = pin!(store.run_concurrent(async |accessor| answer(accessor, service, slot, pool).await));
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    let mut armed: Option<Instant> = None;
    slot.set_activity(Activity::Idle(Instant::now()), limits);
    poll_fn(|cx| {
        slot.remember(cx.waker());
        slot.reached.set(false);
        if let Poll::Ready(result) = events.as_mut().poll(cx) {
            return Poll::Ready(result.flatten().map(Ok));
        }
        // A component that computes, or waits in a call that blocks all of it, holds its event loop up. Time is kept
        // out here for that reason, and those who wait in the queue go elsewhere.
        slot.blocked.set(!slot.reached.get());
        if slot.blocked.get() && pool.has_waiting() {
            pool.dispatch();
        }
        loop {
            if let Some(due) = slot.due()
                && armed.is_none_or(|armed| due < armed)
            {
                timer.as_mut().reset(due.into());
                armed = Some(due);
            }
            if armed.is_none() || timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
            if let Some(cut) = slot.check_time(Instant::now(), limits) {
                return Poll::Ready(Ok(Err(cut)));
            }
        }
    })
    .await
}

/// The work inside of the store's event loop. Errors are traps: they end the store.
async fn answer(
    accessor: &Accessor<InstanceState>,
    service: &Service,
    slot: &Slot,
    pool: &Rc<Pool>,
) -> wasmtime::Result<()> {
    let limits = &pool.limits;
    let mut calls = FuturesUnordered::new();
    let function = *service.wasi_http_handler().func_handle().func();
    let take = |cx: &mut Context<'_>| -> Option<Job> {
        if slot.free(limits) == 0 || !pool.has_waiting() {
            return None;
        }
        if accessor.poll_ready_for_concurrent_call(function, cx).is_pending() {
            // The component refuses further calls for a while (backpressure).
            slot.blocked.set(true);
            pool.dispatch();
            return None;
        }
        pool.take()
    };
    poll_fn(|cx| {
        slot.reached.set(true);
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
            if slot.given_up.get() > 0 {
                slot.bodies.register(cx.waker());
                if !slot.is_awaited() {
                    return Poll::Ready(Ok(()));
                }
            }
        } else if accessor.poll_no_interesting_tasks(cx).is_pending() {
            if !matches!(slot.activity(), Activity::Finishing(_)) {
                slot.set_activity(Activity::Finishing(Instant::now()), limits);
            }
        } else {
            if !slot.is_accepting(limits) || (pool.is_draining() && !pool.has_waiting()) {
                return Poll::Ready(Ok(()));
            }
            if !matches!(slot.activity(), Activity::Idle(_)) {
                slot.set_activity(Activity::Idle(Instant::now()), limits);
            }
        }
        // It has had its share and cannot end yet: those who wait go elsewhere, or it is renewed, and woken for them.
        if !slot.is_accepting(limits) && pool.has_waiting() {
            pool.dispatch();
        }
        Poll::Pending
    })
    .await
}

/// Calls the component with one request and passes the answer on. Only a trap is an error.
fn call<'a>(
    accessor: &'a Accessor<InstanceState>,
    service: &'a Service,
    slot: &'a Slot,
    job: Job,
) -> impl Future<Output = wasmtime::Result<()>> + use<'a> {
    let key = slot.admit(job.reply, job.deadline);
    let function = service.wasi_http_handler().func_handle();
    let started = accessor.with(|mut store| {
        let (request, transmitted) = Request::from_http(Incoming::hooks(), job.request);
        let request = store.get().http().table.push(request)?;
        Ok((function.start_call_concurrent(&mut store, (request,))?, transmitted))
    });
    async move {
        let (call, transmitted) = started.map_err(|error: wasmtime::Error| error)?;
        let (result,) = function.finish_call_concurrent(accessor, call).await?;
        let answer = match result {
            Err(code) => Err(Failure::ErrorCode(format!("{code:?}"))),
            Ok(response) => accessor
                .with(|mut store| {
                    let response = store.get().http().table.delete(response)?;
                    let response = response.into_http(&mut store, transmitted)?;
                    Ok(response.map(|body| slot.bodies.open(body)))
                })
                .map_err(|error: wasmtime::Error| Failure::ErrorCode(format!("{error:#}"))),
        };
        if let Some(reply) = slot.release(key) {
            // Whoever has gone needs no answer.
            let _ = reply.send(answer);
        }
        Ok(())
    }
}
