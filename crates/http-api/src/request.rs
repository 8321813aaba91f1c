//! Requests: from bytes and texts to checked values, or to a problem that names every wrong field.

pub mod body;
pub mod json;
pub mod members;
pub mod path;
pub mod query;
pub mod rules;
pub mod validation;
