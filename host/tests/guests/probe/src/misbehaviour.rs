//! Traps, endless computations, and other responses that a good component does not give.

use futures::SinkExt;
use spin_sdk::http::{IntoResponse, Response, body};
use spin_sdk::wasip3::http::types::{ErrorCode, Response as WasiResponse};

use crate::Query;

/// Traps, computes without end, allocates memory, streams (and traps in the middle), or returns an error code.
pub async fn respond(path: &str, query: &Query) -> Result<WasiResponse, ErrorCode> {
    match path {
        "/trap" => panic!("asked to"),
        "/spin" => {
            eprintln!("computing");
            let mut number = 0_u64;
            loop {
                number = std::hint::black_box(number.wrapping_add(1));
                if number == u64::MAX {
                    return Err(ErrorCode::LoopDetected);
                }
            }
        }
        "/allocate" => {
            let bytes = vec![1_u8; usize::try_from(query.number("mib") << 20).unwrap_or(usize::MAX)];
            if query.has_wait() {
                query.wait().await;
            }
            std::hint::black_box(&bytes).len().to_string().into_response()
        }
        "/stream" | "/stream-trap" => {
            let (mut sender, body) = body::stream::<String>();
            let (query, traps) = (query.clone(), path == "/stream-trap");
            spin_sdk::wasip3::spawn(async move {
                for piece in 0..query.number("pieces") {
                    if query.has_wait() {
                        query.wait().await;
                    }
                    if sender.send(format!("piece {piece}\n")).await.is_err() {
                        return;
                    }
                }
                if traps {
                    spin_sdk::time::sleep(std::time::Duration::from_millis(50)).await;
                    panic!("asked to");
                }
            });
            Response::new(body).into_response()
        }
        _ => Err(ErrorCode::LoopDetected),
    }
}
