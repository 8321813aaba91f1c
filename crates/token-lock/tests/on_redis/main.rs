//! The locks on real Redis servers: round trips, expiry, outages, a majority of three, guards.

mod clients;
mod commands;
mod dialects;
mod guards;
mod holding;
mod majority;
mod numbers;
mod outages;

use std::time::{Duration, Instant};

use clients::Client;
use ports::Reply;

/// Waits until the key is gone.
async fn until_gone(client: &Client, key: &str) {
    let give_up = Instant::now() + Duration::from_secs(10);
    while client.say(&format!("EXISTS {key}")).await != [Reply::Int(0)] {
        assert!(Instant::now() < give_up, "{key} is still there");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
