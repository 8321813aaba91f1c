//! `[[trigger.redis]]`: calls a component with each message that is published on a channel.
//!
//! All Redis triggers share one thread, which has no connections of clients. There is one connection per server
//! (`subscription`). Each trigger has an `inbox`, and handles its messages one after another, in their order.
//! A new instance takes up to 1 ms, so the thread handles about a thousand messages per second.
//!
//! As on Spin, each message has a new instance, which ends when the handler returns. An error of the handler is logged;
//! the message is not repeated. Unlike on Spin, one trigger does not wait for another, and an unreachable server does
//! not end the host.
//!
//! Redis delivers a message at most once. These are lost: messages that are published while the host is not connected,
//! and those that arrive when the inbox is full.

mod call;
mod inbox;
mod servers;
mod subscription;

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::inbox::Inbox;
pub use self::servers::Server;
use super::worker::Worker;
use crate::engine::InstanceState;
use crate::interfaces::{SubscriberPre, WorkerResources};
use crate::metrics::Message;
use crate::pool::Limits;

/// How the messages of a trigger are handled.
struct Handler {
    subscriber: SubscriberPre<InstanceState>,
    shared: Arc<WorkerResources>,
    limits: Limits,
    is_quiet: bool,
}

/// Handles messages until `stop` is true, and then those that wait.
pub async fn serve(worker: &Worker, limits: Limits, is_quiet: bool, mut stop: watch::Receiver<bool>) {
    let (mut subscriptions, mut handlers, mut inboxes) = (JoinSet::new(), JoinSet::new(), Vec::new());
    for server in &worker.application.redis_servers {
        let mut receivers = Vec::new();
        for (channel, component) in &server.triggers {
            let shared = worker.resources[*component].clone();
            let subscriber = worker.application.compiled[*component].redis.clone();
            let subscriber = subscriber.expect("compiling has checked the export of each trigger's component");
            let inbox = Rc::new(Inbox::new(limits.queue, channel.clone(), shared.clone()));
            let handler = Handler { subscriber, shared, limits, is_quiet };
            handlers.spawn_local(handle_all(handler, inbox.clone()));
            inboxes.push(inbox.clone());
            receivers.push(inbox);
        }
        subscriptions.spawn_local(subscription::keep(server.clone(), receivers));
    }
    // No error: the sender lives as long as the process.
    let _ = stop.wait_for(|stop| *stop).await;
    subscriptions.shutdown().await;
    inboxes.iter().for_each(|inbox| inbox.close());
    while handlers.join_next().await.is_some() {}
}

/// Handles the messages of `inbox` until it is closed and empty.
async fn handle_all(handler: Handler, inbox: Rc<Inbox>) {
    let recorder = &handler.shared.recorder;
    while let Some(message) = inbox.next().await {
        match call::handle(&handler, message).await {
            Ok(()) => recorder.message(Message::Handled),
            Err(error) => {
                recorder.message(Message::Failed);
                eprintln!("[{}] a message on {:?}: {error}", handler.shared.component.id, inbox.channel());
            }
        }
    }
}
