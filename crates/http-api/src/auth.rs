//! Bearer tokens (RFC 6750): who may use which routes.
//!
//! There are two kinds. Static tokens ([`Tokens`]) are secrets that an operator gives to programs. JSON Web Tokens
//! ([`JwtVerifier`]) are signed by a server that knows the users, and name the user who sends the request ([`Caller`]).

mod bearer;
mod caller;
mod jwt;
mod tokens;

pub use bearer::is_token;
pub use caller::{Admin, Caller};
pub use jwt::{JwtKeyError, JwtSettings, JwtVerifier};
pub use tokens::{Access, Tokens};
