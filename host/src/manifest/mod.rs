//! spin.toml: from the text (`schema`) to an application that is ready to run ([`App`]). [`resolve`] leads from one to
//! the other.

mod allowed_hosts;
mod app;
mod http_trigger;
mod place;
mod redis_trigger;
mod resolve;
mod schema;
mod variables;

pub use allowed_hosts::{AllowedHosts, chaining_target};
pub use app::{App, Callers, Component, HttpTrigger, RedisTrigger, Target};
pub use place::Source;
pub use resolve::resolve;
pub use variables::{VariableSource, check_name};
