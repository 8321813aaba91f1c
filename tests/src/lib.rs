//! What the black-box tests in `tests/tests` share: [`App`], one running application on stores of its own.
//!
//! ```no_run
//! # async fn example() {
//! let app = blackbox::App::spawn().await;
//! let created = app.create_user(&serde_json::json!({"name": "Ada", "email": "ada@example.org"})).await;
//! assert_eq!(created.status(), 201);
//! # }
//! ```
//!
//! The host is `target/quick/tumbler-host`; the environment variable `TUMBLER_HOST` names another build of it, and
//! `SPIN` a real Spin that takes its place. The Redis server is the one in PATH, or the program that `REDIS_SERVER` names
//! (Valkey, another version). `cargo xtask test` starts one PostgreSQL server for all tests and names it in
//! `TUMBLER_TEST_DATABASE_URL` (and its log in `TUMBLER_TEST_POSTGRES_LOG`); without them each test process starts one.
//! Failures panic: this is a library for tests.

mod api;
mod app;
mod cache_api;
mod database;
pub mod history;
mod host;
mod lock_api;
mod monitor;
mod origin;
mod redis;
mod until;
pub mod workload;

pub use api::Api;
pub use app::{ADMIN_TOKEN, App, Builder};
pub use cache_api::percent_encoded;
pub use database::Database;
pub use host::Host;
pub use lock_api::{Grant, lock_servers};
pub use monitor::{Command, Monitor};
pub use origin::{Asked, Origin, Reply};
pub use redis::Redis;
pub use until::until;
