//! spin.toml: from the text to an application that is ready to run.
//!
//! | module | what it knows |
//! |---|---|
//! | `resolve` | how the parts become an [`App`]: checks everything, fills in the variables |
//! | `app` | the result: components, triggers, static responses |
//! | `schema` | the tables and fields of the file |
//! | `allowed_hosts` | the syntax and meaning of `allowed_outbound_hosts` |
//! | `variables`, `template` | where values come from, and `{{ name }}` in a text |
//! | `place` | file, line and column of each error |

mod allowed_hosts;
mod app;
mod place;
mod resolve;
mod schema;
mod template;
mod variables;

pub use allowed_hosts::{AllowedHosts, chaining_target};
pub use app::{App, Component, HttpTrigger, Target};
pub use place::Source;
pub use resolve::resolve;
pub use variables::{VariableSource, check_name};
