//! The events about the cache: which entries were set or removed. They never have the values.

use events::NewEvent;
use serde_json::json;

use crate::described::Described;
use crate::key::Key;
use crate::kv::KV_MODULE;
use crate::target::Target;

/// The value of a key was set.
pub fn set(key: &Key) -> NewEvent {
    NewEvent::new("tumbler.cache.set", subject_of(key))
}

/// The values of several keys were set.
pub fn set_many(keys: usize) -> NewEvent {
    NewEvent::new("tumbler.cache.set", KV_MODULE).data(json!({ "keys": keys }))
}

/// The value of a described entry was set.
pub fn set_described(entry: &Described) -> NewEvent {
    NewEvent::new("tumbler.cache.set", subject_of_described(entry))
}

/// The values of several described entries were set.
pub fn set_many_described(entries: usize) -> NewEvent {
    NewEvent::new("tumbler.cache.set", "entries").data(json!({ "entries": entries }))
}

/// The value of a described entry was removed.
pub fn deleted_described(entry: &Described) -> NewEvent {
    NewEvent::new("tumbler.cache.deleted", subject_of_described(entry))
}

/// The value of a key was removed.
pub fn deleted(key: &Key) -> NewEvent {
    NewEvent::new("tumbler.cache.deleted", subject_of(key))
}

/// Entries were invalidated: some of them, or all.
pub fn invalidated(target: &Target) -> NewEvent {
    let subject = match target {
        Target::Key(key) => subject_of(key),
        Target::Pattern(_) => KV_MODULE.to_owned(),
        Target::Module(module) => module.clone(),
        Target::Operation(module, operation) => format!("{module}/{operation}"),
        Target::User(user) => format!("users/{user}"),
        Target::All => "cache".to_owned(),
    };
    let kind = if *target == Target::All { "tumbler.cache.cleared" } else { "tumbler.cache.invalidated" };
    NewEvent::new(kind, subject).data(target.to_json())
}

fn subject_of_described(entry: &Described) -> String {
    [&*entry.module, "/", &entry.operation].concat()
}

fn subject_of(key: &Key) -> String {
    format!("{KV_MODULE}/{}", key.as_str())
}
