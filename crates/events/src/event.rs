//! CloudEvents 1.0 in JSON (<https://github.com/cloudevents/spec>, formats/json-format.md).

use chrono::{DateTime, SecondsFormat};
use ports::Runtime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An event. Its members have the names of the specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Always 1.0.
    pub specversion: SpecVersion,
    /// 32 random hexadecimal digits. An event that was published twice has the same id both times.
    pub id: String,
    /// The service: a relative URI such as `/users`.
    pub source: String,
    /// What happened, such as `tumbler.user.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What has changed, such as `users/42`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened: RFC 3339 in UTC, by the service's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// An extension: the version of the row after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// An extension: the W3C trace context of the request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// `application/json` if there is data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// More about it: JSON without line breaks between its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// The version of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecVersion {
    /// 1.0.
    #[serde(rename = "1.0")]
    V1,
}

impl Event {
    /// The event as one line of JSON.
    ///
    /// # Panics
    /// Never: texts and numbers always serialize.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialize")
    }
}

/// An event without its id, source and time, which the publisher adds.
///
/// ```
/// # use events::NewEvent;
/// let updated = NewEvent::new("tumbler.user.updated", "users/42").version(7);
/// let stored = NewEvent::new("tumbler.cache.set", "kv").data(serde_json::json!({"keys": 3}));
/// ```
///
/// Events go to many readers and to logs: never put names, e-mail addresses or stored values into one.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewEvent {
    kind: &'static str,
    subject: String,
    version: Option<i64>,
    data: Option<Box<RawValue>>,
}

impl NewEvent {
    /// An event of the type `kind` about `subject`.
    pub fn new(kind: &'static str, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), version: None, data: None }
    }

    /// Its type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Sets the version of the row after the change.
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the data.
    ///
    /// # Panics
    /// If `data` has a map whose keys are not strings, or its `Serialize` fails.
    pub fn data(mut self, data: impl Serialize) -> Self {
        self.data = Some(serde_json::value::to_raw_value(&data).expect("values with string keys always serialize"));
        self
    }

    /// Sets data that is JSON already. Line breaks, which JSON has only between tokens, become spaces: an event is one
    /// line.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn json_data(mut self, json: &str) -> Result<Self, serde_json::Error> {
        self.data = Some(RawValue::from_string(json.replace(['\n', '\r'], " "))?);
        Ok(self)
    }

    /// The event, with a new id and the time.
    pub(crate) fn complete(self, source: &str, traceparent: Option<String>, runtime: &impl Runtime) -> Event {
        let time = i64::try_from(runtime.unix_ms()).ok().and_then(DateTime::from_timestamp_millis);
        Event {
            specversion: SpecVersion::V1,
            id: format!("{:016x}{:016x}", runtime.random_u64(), runtime.random_u64()),
            source: source.to_owned(),
            kind: self.kind.to_owned(),
            subject: Some(self.subject),
            time: time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            version: self.version,
            traceparent,
            datacontenttype: self.data.as_ref().map(|_| "application/json".to_owned()),
            data: self.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Fixed;

    impl Runtime for Fixed {
        fn unix_ms(&self) -> u64 {
            1_795_233_532_288
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }

        fn random_u64(&self) -> u64 {
            0xab
        }

        async fn sleep(&self, _: u64) {}

        fn spawn(&self, _: impl Future<Output = ()> + 'static) {}
    }

    fn value(event: &Event) -> Value {
        serde_json::from_str(&event.to_json()).unwrap()
    }

    #[test]
    fn members_are_those_of_the_specification_and_only_those_with_a_value() {
        let bare = NewEvent::new("tumbler.user.deleted", "users/42").complete("/users", None, &Fixed);
        let expected = json!({
            "specversion": "1.0", "id": "00000000000000ab00000000000000ab", "source": "/users",
            "type": "tumbler.user.deleted", "subject": "users/42", "time": "2026-11-21T03:58:52.288Z"
        });
        assert_eq!(value(&bare), expected);
        let full = NewEvent::new("tumbler.user.updated", "users/42").version(7).data(json!({"a": [1]}));
        let full = value(&full.complete("/users", Some("00-1-2-01".to_owned()), &Fixed));
        assert_eq!(full["version"], 7);
        assert_eq!(full["traceparent"], "00-1-2-01");
        assert_eq!((&full["datacontenttype"], &full["data"]), (&json!("application/json"), &json!({"a": [1]})));
    }

    #[test]
    fn data_keeps_its_text_and_has_one_line() {
        let event =
            NewEvent::new("tumbler.message", "a").json_data("{\r\n \"n\": 1.50e400,\n\"s\": \"\\n\"\n}").unwrap();
        let json = event.complete("/events", None, &Fixed).to_json();
        assert!(json.ends_with(r#""data":{   "n": 1.50e400, "s": "\n" }}"#), "{json}");
        let read: Event = serde_json::from_str(&json).unwrap();
        assert_eq!(read.to_json(), json);
        for bad in ["", "{", "1 2", "{\"a\n\": 1,}"] {
            assert!(NewEvent::new("t", "s").json_data(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_version_1_0_is_read() {
        let json = |version: &str| format!(r#"{{"specversion":{version},"id":"1","source":"/x","type":"t"}}"#);
        assert!(serde_json::from_str::<Event>(&json("\"1.0\"")).is_ok());
        for bad in ["\"0.3\"", "1.0", "\"1.1\""] {
            assert!(serde_json::from_str::<Event>(&json(bad)).is_err(), "{bad}");
        }
    }
}
