//! `GET /api/events`: events and messages as they come, as Server-Sent Events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

mod filter;
mod query;
mod stream;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use events::StreamId;
use http_api::{Errors, Kind, Problem, Query, Shared};
use send_wrapper::SendWrapper;

use crate::app::App;
use crate::problems;
use query::EventsQuery;
use stream::EventStream;

/// Set by a browser that connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// nginx would otherwise collect events before it passes them on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The extractor of the header field `Last-Event-ID`.
pub struct LastEventId(Option<StreamId>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut errors = Errors::in_parameters();
        let mut fields = parts.headers.get_all(LAST_EVENT_ID).iter();
        let id = errors.optional(LAST_EVENT_ID.as_str(), fields.next(), |field| {
            let text = field.to_str().map_err(|_| "must be ASCII".to_owned())?;
            text.parse::<StreamId>().map_err(|error| error.to_string())
        });
        if fields.next().is_some() {
            errors.add(LAST_EVENT_ID.as_str(), "is given more than once");
        }
        errors.finish(Some(id)).map(Self)
    }
}

/// Returns events until the time of one response is over, the reader is too slow, or the client has gone.
///
/// # Errors
/// Bad parameters; there are no events; Redis is unavailable.
pub async fn show(
    app: Shared<App>,
    Query(query): Query<EventsQuery>,
    LastEventId(last): LastEventId,
) -> Result<Response, Problem> {
    if !app.service.events.is_enabled() {
        return Err(problems::no_events());
    }
    let feed = if query.channel.is_some() { &app.messages } else { &app.events };
    let reader = feed.subscribe(last.or(query.last_event_id)).await.map_err(|error| {
        tracing::debug!(%error, "events could not be read");
        Problem::new(Kind::Unavailable, "Events are unavailable.")
    })?;
    let frames = EventStream::new(reader, query.into_filter(), app.events_max_ms).into_frames();
    let fields = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (X_ACCEL_BUFFERING, "no")];
    Ok((fields, Body::from_stream(SendWrapper::new(Box::pin(frames)))).into_response())
}
