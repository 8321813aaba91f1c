//! The yardstick of the benchmark: a native program that responds as the component `users` does for a cached user. It
//! shows what HTTP and Redis cost without WebAssembly.
//!
//! It takes the address to listen on, and three variables from the environment:
//!
//! - `REDIS_URL`: the Redis of the component.
//! - `ENTRY_VERSIONS`: the versions of the user's entry, as they are in its key (`{n}:{g}` in
//!   `crates/versioned-cache/src/key.rs`). The component remembers them from an earlier read.
//! - `ENTRY_TTL_S`: for how many seconds the entry still lives.

mod empty;
mod user;

use std::env;
use std::error::Error;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("expected an address to listen on")?;
    let redis = redis::Client::open(env::var("REDIS_URL")?)?.get_multiplexed_async_connection().await?;
    let users = user::Users::new(redis, env::var("ENTRY_VERSIONS")?, env::var("ENTRY_TTL_S")?.parse()?)?;
    let router = Router::new().route("/empty", get(empty::show)).route("/users/{id}", get(user::show));
    // Without TCP_NODELAY, a response could wait for the acknowledgement of the one before it.
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("warning: TCP_NODELAY: {error}");
        }
    });
    Ok(axum::serve(listener, router.with_state(users)).await?)
}
