//! The reply to XRANGE, as entries.

use std::borrow::Cow;
use std::rc::Rc;

use ports::Reply;
use serde::Deserialize;

use crate::event::SpecVersion;
use crate::stream_id::StreamId;

/// The only field of an entry.
pub(crate) const FIELD: &str = "event";

/// An event that was read from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The id of its entry.
    pub id: StreamId,
    /// Its type: not empty, and without control characters.
    pub kind: String,
    /// Its subject; empty if it has none.
    pub subject: String,
    /// The whole event: one line of JSON.
    pub json: String,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: StreamId,
    /// `None`: the entry of another program.
    pub(crate) event: Option<Rc<Received>>,
}

/// The members of an event that are checked or used here.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "specversion")]
    _specversion: SpecVersion,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    subject: Option<Cow<'a, str>>,
}

/// The entries in a reply to XRANGE, in their order.
///
/// Hosts flatten replies: `id field value field value … id field value …`. So an entry ends where the name of the next
/// field would be, if that is an id greater than its own. Entries with several fields belong to other programs.
pub(crate) fn entries(replies: Vec<Reply>) -> Vec<Entry> {
    let mut leaves = replies.into_iter().map(|reply| reply.into_bytes().unwrap_or_default()).peekable();
    let mut entries = Vec::new();
    let mut last = StreamId::ZERO;
    while let Some(leaf) = leaves.next() {
        // If the first leaf is not an id, this is no reply to XRANGE.
        let Some(id) = id_after(last, &leaf) else { break };
        let (mut fields, mut event) = (0, None);
        while leaves.peek().is_some_and(|leaf| fields == 0 || id_after(id, leaf).is_none()) {
            let (field, value) = (leaves.next().unwrap_or_default(), leaves.next().unwrap_or_default());
            fields += 1;
            event = if fields == 1 && field == FIELD.as_bytes() { Some(value) } else { None };
        }
        entries.push(Entry { id, event: event.and_then(|json| received(id, json)).map(Rc::new) });
        last = id;
    }
    entries
}

/// The id in `leaf`, if it is greater than `last`.
fn id_after(last: StreamId, leaf: &[u8]) -> Option<StreamId> {
    str::from_utf8(leaf).ok()?.parse().ok().filter(|id| *id > last)
}

/// The event in `json`; `None` if it is not a CloudEvent in one line.
fn received(id: StreamId, json: Vec<u8>) -> Option<Received> {
    let json = String::from_utf8(json).ok().filter(|json| !json.contains(['\n', '\r']))?;
    let envelope: Envelope<'_> = serde_json::from_str(&json).ok()?;
    let is_valid = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    if ![&envelope.id, &envelope.source, &envelope.kind].into_iter().all(|text| is_valid(text)) {
        return None;
    }
    let (kind, subject) = (envelope.kind.into_owned(), envelope.subject.unwrap_or_default().into_owned());
    Some(Received { id, kind, subject, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str =
        r#"{"specversion":"1.0","id":"1","source":"/x","type":"t","subject":"s","data":null,"other":1}"#;

    fn read(leaves: &[&str]) -> Vec<(String, bool)> {
        let replies = leaves.iter().map(|leaf| Reply::Bytes(leaf.as_bytes().to_vec())).collect();
        entries(replies).into_iter().map(|entry| (entry.id.to_string(), entry.event.is_some())).collect()
    }

    fn expected(entries: &[(&str, bool)]) -> Vec<(String, bool)> {
        entries.iter().map(|(id, is_event)| ((*id).to_owned(), *is_event)).collect()
    }

    #[test]
    fn foreign_entries_are_told_from_events() {
        let leaves = [
            "1-0", "event", EVENT, "1-1", "event", EVENT, "more", "x", "1-2", "a", "2-0", "b", "2-0", "2-0", "other",
            EVENT, "3-0", "x", "y", "event", EVENT, "3-1", "event", EVENT, "event", EVENT, "4-0", "event", EVENT,
        ];
        let entries = [
            ("1-0", true),
            ("1-1", false),
            ("1-2", false),
            ("2-0", false),
            ("3-0", false),
            ("3-1", false),
            ("4-0", true),
        ];
        assert_eq!(read(&leaves), expected(&entries));
    }

    #[test]
    fn only_cloud_events_in_one_line_are_events() {
        let with = |member: &str, value: &str| {
            let mut event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(EVENT).unwrap();
            event.insert(member.to_owned(), serde_json::from_str(value).unwrap());
            serde_json::to_string(&event).unwrap()
        };
        let bad = [
            "".to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            EVENT.replace(',', ",\n"),
            EVENT.replace(',', ",\r"),
            with("specversion", "\"2.0\""),
            with("type", "\"\""),
            with("type", "\"a\\nb\""),
            with("id", "\"\""),
            with("source", "1"),
            with("subject", "1"),
        ];
        for json in &bad {
            assert_eq!(read(&["1-0", "event", json]), expected(&[("1-0", false)]), "{json}");
        }
        assert_eq!(read(&["1-0", "event", &with("subject", "null")]), expected(&[("1-0", true)]));
        let entry = entries(["1-0", "event", EVENT].map(|leaf| Reply::Bytes(leaf.into())).to_vec()).remove(0);
        let received = entry.event.unwrap();
        assert_eq!((&*received.kind, &*received.subject, &*received.json), ("t", "s", EVENT));
    }

    #[test]
    fn other_replies_have_no_entries() {
        assert_eq!(read(&[]), []);
        assert_eq!(read(&["x", "event", EVENT]), []);
        assert_eq!(entries(vec![Reply::Nil]), []);
        assert_eq!(read(&["1-0"]), expected(&[("1-0", false)]));
        // Ids only grow: what follows belongs to the entry before.
        assert_eq!(read(&["2-0", "event", EVENT, "1-0", "event"]), expected(&[("2-0", false)]));
    }
}
