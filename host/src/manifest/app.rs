//! An application that is ready to run: checked, with the values of its variables filled in.

use std::collections::HashMap;
use std::path::PathBuf;

use super::allowed_hosts::AllowedHosts;

/// An application that can be run.
#[derive(Debug, Default)]
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

/// A component and its settings.
#[derive(Debug, Default)]
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
    /// What `spin:variables` returns.
    pub variables: HashMap<String, String>,
    /// The hosts that it may connect to.
    pub allowed_hosts: AllowedHosts,
}

/// A `[[trigger.http]]`: which requests go to which target.
#[derive(Debug)]
pub struct HttpTrigger {
    /// `file:line:column` of its definition, for messages.
    pub place: String,
    /// The pattern as it is written; none for a component that only other components can call.
    pub route: Option<String>,
    /// Who responds.
    pub target: Target,
}

/// Who responds to a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// The component with this index in [`App::components`].
    Component(usize),
    /// The host itself, with this response.
    Static(http::Response<bytes::Bytes>),
}
