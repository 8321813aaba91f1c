//! The id of a user as clients write it.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;
use spin_adapter::http::query::positive;

/// What an id must be, in words.
pub const EXPECTED: &str = "must be a whole number from 1 to 9223372036854775807";
/// The same for several.
pub const EXPECTED_MANY: &str = "whole numbers from 1 to 9223372036854775807";

/// The path parameter `id`, written in one way only: each user has one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = Failure;

    /// # Errors
    /// The problem that names it.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| positive(&text));
        id.map(Self).ok_or_else(|| Problem::parameters(vec![FieldError::field("id", EXPECTED)]).into())
    }
}
