//! Properties that hold for every input, of everything that parses what clients, operators or Redis send. A property is
//! a function of bytes that panics if it does not hold. `cargo xtask fuzz` searches for such bytes; the test in
//! `tests/` checks those of `corpus/`, and random changes of them. docs/testing-robustness.md says more.
//!
//! Some parsers are private, or belong to packages that take minutes to compile with the fuzzer's instrumentation: their
//! source files are compiled into this package.

#[path = "../../crates/versioned-cache/src/invalidate/cursor.rs"]
mod cursor_of_entries;
#[path = "../../components/users/src/cursor.rs"]
mod cursor_of_users;
// They are used in part.
#[allow(dead_code)]
mod entry;
#[allow(dead_code)]
#[path = "../../components/cache/src/key.rs"]
mod key;
#[allow(dead_code, unused_imports)]
#[path = "../../host/src/manifest/mod.rs"]
mod manifest;
#[allow(dead_code)]
#[path = "../../host/src/interfaces/redis_address.rs"]
mod redis_address;
#[allow(dead_code)]
#[path = "../../host/src/run/request_line.rs"]
mod request_line;
#[allow(dead_code)]
#[path = "../../components/cache/src/target.rs"]
mod target;
#[allow(dead_code)]
#[path = "../../host/src/run/validity.rs"]
mod validity;

mod bodies;
mod conditions;
mod cursors;
mod fields;
mod names;
mod numbers;
mod outbound;
mod requests;
mod stored;

/// Checks one property for these bytes; panics if it does not hold.
pub type Property = fn(&[u8]);

/// All properties, by name. `corpus/` has a folder for each.
pub const PROPERTIES: [(&str, Property); 16] = [
    ("allowed_hosts", outbound::allowed_hosts),
    ("conditions", conditions::conditions),
    ("cursors", cursors::cursors),
    ("envelope", stored::envelope),
    ("forwarded_for", fields::forwarded_for),
    ("json_body", bodies::json_body),
    ("manifest", outbound::manifest),
    ("names", names::names),
    ("numbers", numbers::numbers),
    ("path", requests::path),
    ("pattern", names::pattern),
    ("policy", names::policy),
    ("query", requests::query),
    ("request_line", requests::request_line),
    ("request_validity", requests::request_validity),
    ("traceparent", fields::traceparent),
];

/// The property of this name.
pub fn property(name: &str) -> Option<Property> {
    PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, property)| *property)
}
