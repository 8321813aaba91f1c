//! Events: which there are, GET /api/events, POST /api/publish/:channel, and the streams and channels in Redis.

mod access;
mod cache_and_locks;
mod ends;
mod filters;
mod following;
mod messages;
mod outages;
mod parameters;
mod publish_validation;
mod resuming;
mod sellers;
mod stream;
mod users;

use blackbox::{App, EventStream, ServerSentEvent, until};
use serde_json::{Value, json};

/// The stream, and the channel, of events.
const EVENTS: &str = "tumbler:events";
/// The stream of messages.
const MESSAGES: &str = "tumbler:messages";

/// All events so far, in the order of the stream.
async fn recorded(app: &App) -> Vec<Value> {
    app.redis.stream(EVENTS).await.into_iter().map(|(_, event)| event).collect()
}

/// The type and the subject of an event.
fn summary(event: &Value) -> (&str, &str) {
    let text = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{name} in {event}"));
    (text("type"), text("subject"))
}

/// Waits until these are the events, in any order, and until no more come. Returns them.
async fn expect_events(app: &App, expected: &[(&str, String)]) -> Vec<Value> {
    until(&format!("{} events", expected.len()), async || recorded(app).await.len() >= expected.len()).await;
    app.redis.monitor().await.settle().await;
    let events = recorded(app).await;
    let mut found: Vec<_> = events.iter().map(summary).collect();
    let mut expected: Vec<_> = expected.iter().map(|(kind, subject)| (*kind, subject.as_str())).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    events
}

/// The versions of the events of this type, ascending.
fn versions(events: &[Value], kind: &str) -> Vec<i64> {
    let of_type = events.iter().filter(|event| event["type"] == kind);
    let mut versions: Vec<_> =
        of_type.map(|event| event["version"].as_i64().unwrap_or_else(|| panic!("{event}"))).collect();
    versions.sort_unstable();
    versions
}

/// Asserts that this is a CloudEvent 1.0 of this component, from now.
fn expect_cloud_event(event: &Value, source: &str) {
    let allowed =
        ["specversion", "id", "source", "type", "subject", "time", "version", "traceparent", "datacontenttype", "data"];
    for (name, value) in event.as_object().unwrap() {
        assert!(allowed.contains(&name.as_str()) && !value.is_null(), "{name} in {event}");
    }
    assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!(source)), "{event}");
    let id = event["id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{event}");
    let time = chrono::DateTime::parse_from_rfc3339(event["time"].as_str().unwrap()).unwrap();
    let age = chrono::Utc::now().signed_duration_since(time).num_seconds();
    assert!((0..600).contains(&age), "{event} is {age} s old");
    assert_eq!(event["datacontenttype"].is_string(), event["data"] != Value::Null, "{event}");
    assert!(event["type"].as_str().unwrap().starts_with("tumbler."), "{event}");
}

/// GET /api/events with this query, from now on.
async fn follow(app: &App, query: &str) -> EventStream {
    app.get(format!("/api/events{query}")).open().await
}

/// GET /api/events with this query, after this id.
async fn resume(app: &App, query: &str, id: &str) -> EventStream {
    app.get(format!("/api/events{query}")).header("last-event-id", id).open().await
}

/// Stores the cache key `number`, whose event has the subject `kv/{number}`.
async fn emit(app: &App, number: usize) {
    app.put(format!("/api/cache/{number}")).json(json!(number)).await.expect_success();
}

/// The number of an event of [`emit`].
fn number(event: &ServerSentEvent) -> usize {
    let json = event.json();
    let number = json["subject"].as_str().and_then(|subject| subject.strip_prefix("kv/")?.parse().ok());
    number.unwrap_or_else(|| panic!("{event:?}"))
}

/// Reads the numbers from `first` to `last`. Duplicates of the one before are allowed: events come at least once.
async fn expect_numbers(stream: &mut EventStream, first: usize, last: usize) {
    let mut next = first;
    while next <= last {
        let event = stream.expect_next().await;
        let found = number(&event);
        if found + 1 != next || found < first {
            assert_eq!(found, next, "{event:?}");
            next += 1;
        }
    }
}
