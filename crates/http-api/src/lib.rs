//! Everything between HTTP and a handler: reading requests, rejecting them with a problem, writing responses. It knows
//! nothing of Spin, so all of it is tested natively.
//!
//! | I want to … | use |
//! |---|---|
//! | write a handler as an ordinary async fn, also with futures that are not `Send` | [`local`] |
//! | share state between the requests of an instance | [`Shared`] |
//! | respond to requests that match no route | [`no_such_route`], [`no_such_method`] |
//! | require a static token (a secret of the operator) for some routes | [`Tokens::guard`] with [`Access`] |
//! | require a JSON Web Token of a user for some routes | [`JwtVerifier::guard`], made from [`JwtSettings`] |
//! | know who sends a request to such a route, and refuse others | [`Caller`] or [`Admin`], extractors; [`Caller::require_self`], [`Caller::require_self_or_admin`] |
//! | know whose quota a request uses, and tell the client about it | [`rate_limit`] |
//! | read and check a JSON body | [`JsonBody`] of a type with [`FromJson`], whose raw form uses [`Object`], [`present`] and `deny_unknown_fields` |
//! | read a whole number in a body | an `Option<serde_json::Number>` in the raw form, checked by [`WholeNumber::of_json`], or by [`whole`] and a rule of your own |
//! | read and check a body step by step, for example to reserve memory in between | [`read_body`], [`FromJson::from_json`] |
//! | read an object whose values must keep their text, or whose members are in a table | [`Members`] |
//! | read a JSON document without rules | [`parse`] |
//! | read any body up to a limit, also a response of another server | [`collect_limited`] |
//! | read and check a query string | [`Query`] of a type with [`FromQuery`]; [`NoQuery`] for a route without parameters |
//! | read segments of the path | [`path::last_segment`], [`path::last_segments`], [`path::segment`] |
//! | check fields and report all that are wrong at once | [`Errors`], with [`WholeNumber`], [`row_id`], [`rules`] and rules of your own |
//! | fail a request | return a [`Problem`] of a [`Kind`]; [`Problem::internal`] for a bug or a fault of this service |
//! | answer with JSON, or without a body | [`response::json`], [`response::json_bytes`], `StatusCode::NO_CONTENT` |
//! | add header fields to a response | `([field], response).into_response()`; [`Problem::with_header`] |
//! | send large parts without copying them | [`response::ChunkedBody`] |
//! | say how a cache was used | [`response::cache_status`] |
//! | link to the next page | [`response::next_link`], with [`query::write`] |
//! | end a page at 1 MiB | [`response::fitting`] |
//! | write a time as RFC 3339 | [`response::rfc3339`] |
//! | evaluate `If-Match` and `If-None-Match` | [`Preconditions`], an extractor: [`Preconditions::respond`] with an [`ETag`] for reads (304), [`Preconditions::check`] or [`Preconditions::versions`] for changes (412) |
//! | encode text as a segment of a path, or a name as a JSON pointer | [`path::encode`], [`pointer_to`] |
//!
//! A whole component without Spin:
//!
//! ```
//! use axum::Router;
//! use axum::extract::FromRequestParts;
//! use axum::http::request::Parts;
//! use axum::response::Response;
//! use axum::routing::get;
//! use http_api::response::json;
//! use http_api::{
//!     Errors, FromJson, JsonBody, Kind, NoQuery, Object, Problem, Shared, local, no_such_method, no_such_route, path,
//!     present, row_id,
//! };
//! use serde::{Deserialize, Serialize};
//! use std::cell::RefCell;
//! use std::collections::BTreeMap;
//!
//! /// The state: the names of pets by their ids.
//! type App = RefCell<BTreeMap<i64, Pet>>;
//!
//! #[derive(Clone, Serialize)]
//! struct Pet {
//!     name: String,
//! }
//!
//! /// What serde reads. Members are optional, so that `check` reports all that are missing.
//! #[derive(Default, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct RawPet {
//!     #[serde(deserialize_with = "present")]
//!     name: Option<String>,
//! }
//!
//! impl FromJson for Pet {
//!     type Raw = Object<RawPet>;
//!     const MAX_BYTES: usize = 16 * 1024;
//!
//!     fn check(Object(pet): Object<RawPet>, errors: &mut Errors) -> Option<Self> {
//!         let name = errors.required("/name", pet.name, |name| match name.len() {
//!             1..=255 => Ok(name),
//!             _ => Err("must have 1 to 255 bytes".to_owned()),
//!         });
//!         Some(Self { name: name? })
//!     }
//! }
//!
//! struct PetId(i64);
//!
//! impl<S: Sync> FromRequestParts<S> for PetId {
//!     type Rejection = Problem;
//!
//!     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
//!         path::last_segment(parts.uri.path(), "id", |id| row_id(&id)).map(Self)
//!     }
//! }
//!
//! async fn show(app: Shared<App>, PetId(id): PetId, _: NoQuery) -> Result<Response, Problem> {
//!     match app.borrow().get(&id) {
//!         Some(pet) => Ok(json(pet)),
//!         None => Err(Problem::new(Kind::NotFound, format!("There is no pet {id}."))),
//!     }
//! }
//!
//! async fn store(
//!     app: Shared<App>,
//!     PetId(id): PetId,
//!     _: NoQuery,
//!     JsonBody(pet): JsonBody<Pet>,
//! ) -> Result<Response, Problem> {
//!     app.borrow_mut().insert(id, pet.clone());
//!     Ok(json(&pet))
//! }
//!
//! let router: Router = Router::new()
//!     .route("/pets/{id}", get(local(show)).put(local(store)))
//!     .fallback(no_such_route)
//!     .method_not_allowed_fallback(no_such_method)
//!     .with_state(Shared::new(App::default()));
//! ```
//!
//! Modules import downwards only: `handler`, `auth`, `conditional`, `rate_limit` → `request` → `response` → `problem`.

pub mod rate_limit;
pub mod response;

mod auth;
mod conditional;
mod handler;
mod problem;
mod request;

pub use auth::{Access, Admin, Caller, JwtKeyError, JwtSettings, JwtVerifier, Tokens, is_token};
pub use conditional::{ETag, Preconditions, Versions, precondition_failed};
pub use handler::{Local, Shared, local, no_such_method, no_such_route};
pub use problem::{FieldError, Kind, Problem};
pub use request::body::{BodyError, collect_limited, read_body};
pub use request::json::{FromJson, JsonBody, Object, parse, pointer_to, present};
pub use request::members::{MemberList, Members};
pub use request::query::{FromQuery, NoQuery, Query};
pub use request::validation::{Errors, WholeNumber, row_id, whole};
pub use request::{path, query, rules};
pub use response::{APPLICATION_JSON, set_product};
