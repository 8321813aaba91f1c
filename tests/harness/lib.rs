//! The harness of the black-box tests in `tests/api` and `tests/races`. [`App`] is one running application with a Redis
//! server and a database of its own.
//!
//! ```no_run
//! # async fn example() {
//! let app = blackbox::App::spawn().await;
//! let user = serde_json::json!({"name": "Ada", "email": "ada@example.org"});
//! let response = app.post("/users").json(user).await;
//! assert_eq!(response.status(), 201);
//! # }
//! ```
//!
//! tests/README.md says how to run the tests and which environment variables there are. Failures panic: this is a
//! library for tests.

mod api;
mod app;
mod cache;
mod database;
mod event_stream;
mod host;
mod jwt;
mod locks;
mod log;
mod metrics;
mod monitor;
mod origin;
mod redis;
mod response;
mod sellers;
mod users;
mod wait;

pub use api::{ADMIN_TOKEN, Api, Request};
pub use app::{App, Builder};
pub use cache::{entry_path, percent_encoded};
pub use database::Database;
pub use event_stream::{EventStream, ServerSentEvent};
pub use host::Host;
pub use jwt::{JWT_SECRET, jwt};
pub use locks::{Grant, lock_servers};
pub use metrics::Metrics;
pub use monitor::{Command, Monitor, of_usual_instance};
pub use origin::{Origin, OriginRequest, Reply};
pub use redis::Redis;
pub use response::Response;
pub use sellers::{ADMIN_ID, Seller, complete_seller};
pub use wait::{fast_enough, until, within};
