//! The private modules of versioned-cache that read and write what Redis stores.

#[path = "../../crates/versioned-cache/src/entry/compression.rs"]
mod compression;
#[path = "../../crates/versioned-cache/src/entry/envelope.rs"]
pub mod envelope;
#[path = "../../crates/versioned-cache/src/entry/form.rs"]
pub mod form;
#[path = "../../crates/versioned-cache/src/entry/versions.rs"]
mod versions;
