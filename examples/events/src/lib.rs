//! Reads users again after they have changed, so that they are in the cache when somebody asks.
//!
//! Tumbler publishes its events on the Redis channel `tumbler:events`. After an event about a user, this component
//! sends `GET {api_url}/users/{id}`, which fills the cache. Everything else it ignores.

mod event;
mod warm;

use spin_sdk::redis_subscriber;

/// Handles one event. An error is logged by the host; Redis does not repeat the message.
#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), String> {
    let event = event::parse(&message)?;
    let Some(user) = event.user_to_warm() else { return Ok(()) };
    let result = warm::user(user, event.traceparent()).await?;
    println!("{} {}: {result}", event.kind(), event.subject());
    Ok(())
}
