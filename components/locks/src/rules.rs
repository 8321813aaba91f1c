//! The rules for input that several routes share. The error of a rule follows the field's name: "must not be empty".

use http_api::{Problem, WholeNumber};
use token_lock::{Resource, TTL_MS, Token};

use crate::problems;

/// Bytes of a body, at most: twice as many as 16 resource names of 512 bytes have.
pub const BODY_MAX_BYTES: usize = 16 * 1024;
/// The TTL of a lock.
pub const TTL: WholeNumber = WholeNumber::new(*TTL_MS.start(), *TTL_MS.end(), "milliseconds");

/// 1 to 512 bytes of UTF-8.
///
/// # Errors
/// What is wrong.
pub fn resource(name: String) -> Result<Resource, String> {
    Resource::new(name).map_err(|error| error.to_string())
}

/// A token that acquire may have returned.
///
/// # Errors
/// What is wrong.
pub fn token(text: String) -> Result<Token, String> {
    Token::parse(&text).map_err(|error| error.to_string())
}

/// The resource whose lock has this key. Handlers call it after all other rules of the body have passed.
///
/// # Errors
/// The key does not belong to a lock: [`problems::not_a_lock`].
pub fn resource_of_key(key: &str) -> Result<Resource, Problem> {
    Resource::from_key(key).map_err(problems::not_a_lock)
}
