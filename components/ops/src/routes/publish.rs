//! `POST /api/publish/:channel`: a message of an application, for everybody who reads the channel.

use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use events::{Channel, NewEvent};
use http_api::response::{json_bytes, to_json};
use http_api::{Kind, NoQuery, Problem, Shared, parse, path, read_body};
use serde_json::json;
use serde_json::value::RawValue;

use crate::app::App;
use crate::problems;

/// Bytes of a message, at most.
const MESSAGE_MAX: usize = 64 * 1024;

/// The extractor of the path parameter `channel`.
pub struct ChannelName(Channel);

impl<S: Sync> FromRequestParts<S> for ChannelName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let rule = |name| Channel::new(name).map_err(|error| error.to_string());
        path::last_segment(parts.uri.path(), "channel", rule).map(Self)
    }
}

/// Publishes any JSON, and returns the id of the event when Redis has it.
///
/// # Errors
/// A bad channel or body; there are no events; Redis is unavailable.
pub async fn publish(
    app: Shared<App>,
    ChannelName(channel): ChannelName,
    _: NoQuery,
    request: Request,
) -> Result<Response, Problem> {
    let body: Box<RawValue> = parse(&read_body(request, MESSAGE_MAX).await?)?;
    if !app.service.events.is_enabled() {
        return Err(problems::no_events());
    }
    let message = NewEvent::new("tumbler.message", channel.name()).json_data(body.get()).map_err(Problem::internal)?;
    let id = app.service.events.send(&channel, message).await.map_err(|error| {
        tracing::debug!(%error, "a message could not be published");
        Problem::new(Kind::Unavailable, "Redis is unavailable; the message may or may not have been published.")
    })?;
    Ok(json_bytes(StatusCode::ACCEPTED, to_json(&json!({ "id": id }))))
}
