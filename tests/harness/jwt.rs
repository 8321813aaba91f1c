//! JSON Web Tokens, signed with the secret of the application under test.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::Value;

/// The variable `jwt_secret` of every [`App`](crate::App), unless a test sets another one.
pub const JWT_SECRET: &str = "the-jwt-secret-of-the-tests-has-32-bytes-or-more";

/// A token with any claims, signed with HS256 and [`JWT_SECRET`]. [`Api::with_jwt`](crate::Api::with_jwt) makes valid
/// ones.
pub fn jwt(claims: Value) -> String {
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).expect("HS256 signs any claims")
}

/// The time in this many seconds, as the claims `exp` and `nbf` have it.
pub(crate) fn in_s(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is later than 1970");
    now.as_secs() + seconds
}
