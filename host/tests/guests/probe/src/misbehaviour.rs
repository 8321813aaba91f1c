//! Requests that no good component would answer like this.

use futures::SinkExt;
use spin_sdk::http::{IntoResponse, Response, body};
use spin_sdk::wasip3::http::types::{ErrorCode, Response as WasiResponse};

use crate::Query;

/// Traps, computes for ever, takes memory, streams (and traps in the middle), returns an error code.
pub async fn answer(path: &str, query: &Query) -> Result<WasiResponse, ErrorCode> {
    match path {
        "/trap" => panic!("asked to"),
        "/spin" => {
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
            std::hint::black_box(&bytes).len().to_string().into_response()
        }
        "/stream" | "/stream-trap" => {
            let (mut sender, body) = body::stream::<String>();
            let (pieces, pause, traps) = (query.number("pieces"), query.number("pause-ms"), path == "/stream-trap");
            spin_sdk::wasip3::spawn(async move {
                for piece in 0..pieces {
                    if pause > 0 {
                        spin_sdk::time::sleep(std::time::Duration::from_millis(pause)).await;
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
