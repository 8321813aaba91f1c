//! The application: what spin.toml says, checked, with the values of its variables filled in.

mod place;
mod resolve;
mod schema;
mod template;
mod variables;

use std::collections::HashMap;
use std::path::PathBuf;

pub use place::{ManifestError, Source};
pub use resolve::resolve;
pub use template::{Template, UnmatchedBraces};
pub use variables::{VariableSource, check_name, environment_name};

use crate::egress::AllowedHosts;

/// An application that can be run.
#[derive(Debug)]
pub struct App {
    /// `[application]` name.
    pub name: String,
    /// `[application]` version, or empty.
    pub version: String,
    /// In the order of the manifest.
    pub components: Vec<Component>,
    /// In the order of the manifest.
    pub triggers: Vec<HttpTrigger>,
}

/// A component and what it may do.
#[derive(Debug)]
pub struct Component {
    /// `[component.<id>]`
    pub id: String,
    /// `file:line:column` of its definition, for messages.
    pub place: String,
    /// One line, or empty.
    pub description: String,
    /// The component's file.
    pub source: PathBuf,
    /// Environment variables, with those of `--env`.
    pub environment: Vec<(String, String)>,
    /// What `spin:variables` answers.
    pub variables: HashMap<String, String>,
    /// Whom it may reach.
    pub allowed_hosts: AllowedHosts,
}

/// Which requests go where.
#[derive(Debug)]
pub struct HttpTrigger {
    /// `file:line:column` of its definition, for messages.
    pub place: String,
    /// The pattern as it is written, or none for components that only other components can call.
    pub route: Option<String>,
    /// Who answers.
    pub target: Target,
}

/// Who answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The component with this index in [`App::components`].
    Component(usize),
    /// The host itself.
    Static(StaticResponse),
}

/// An answer that needs no component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticResponse {
    /// Its status.
    pub status: http::StatusCode,
    /// Its header.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: bytes::Bytes,
}
