//! Responses as the host takes them.

use std::cell::RefCell;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, HeaderError};
use spin_sdk::wasip3::http_compat::BodyWriter;

use crate::idle_task::IdleTask;
use crate::poll;

/// Passes a response to the host. Its body is written after that, as part of the request. Then `idle` ends.
///
/// # Errors
/// The host refuses a field of the header.
pub(crate) fn send(response: Response, idle: IdleTask) -> Result<types::Response, ErrorCode> {
    let (head, body) = response.into_parts();
    let fields = fields(&head.headers).map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (writer, contents, trailers) = BodyWriter::new();
    let (outgoing, _transmitted) = types::Response::new(fields, Some(contents), trailers);
    // 200 is what a new response has.
    if head.status != StatusCode::OK {
        let _ = outgoing.set_status_code(head.status.as_u16());
    }
    poll::spawn(write(writer, body, idle));
    Ok(outgoing)
}

/// An error has nobody to go to: the host has closed the body, because the client has gone.
async fn write(writer: BodyWriter, mut body: Body, _idle: IdleTask) {
    let _ = writer.send_http_body(&mut body).await;
}

thread_local! {
    /// The names and values of the last response. Their memory is used again.
    static FIELDS: RefCell<Vec<(String, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

fn fields(headers: &HeaderMap) -> Result<Fields, HeaderError> {
    FIELDS.with_borrow_mut(|fields| {
        fields.resize_with(headers.len(), Default::default);
        for ((name, value), (same_name, same_value)) in headers.iter().zip(fields.iter_mut()) {
            name.as_str().clone_into(same_name);
            value.as_bytes().clone_into(same_value);
        }
        Fields::from_list(fields)
    })
}
