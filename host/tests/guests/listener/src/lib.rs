//! Does what the messages of a test ask for, and prints what it has done: `print x`, `fetch http://…`, `error`,
//! `trap`, `spin`.

use std::sync::atomic::{AtomicU32, Ordering};

use spin_sdk::redis_subscriber;

/// Messages of this instance.
static MESSAGES: AtomicU32 = AtomicU32::new(0);

#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), String> {
    let count = MESSAGES.fetch_add(1, Ordering::Relaxed) + 1;
    let text = String::from_utf8_lossy(&message);
    match text.split_once(' ').unwrap_or((&text, "")) {
        ("print", what) => println!("{what}, message {count}"),
        ("fetch", url) => match spin_sdk::http::get(url).await {
            Ok(response) => println!("fetched {}", response.status().as_u16()),
            Err(error) => return Err(format!("{error:?}")),
        },
        ("trap", _) => panic!("asked to"),
        ("spin", _) => loop {
            std::hint::black_box(count);
        },
        _ => return Err("asked to".to_owned()),
    }
    Ok(())
}
