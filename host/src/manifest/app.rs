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
    pub http_triggers: Vec<HttpTrigger>,
    /// In the order of the manifest.
    pub redis_triggers: Vec<RedisTrigger>,
}

/// Who calls a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callers {
    /// HTTP triggers, or other components.
    pub http: bool,
    /// Redis triggers.
    pub redis: bool,
}

impl App {
    /// Who calls the component with this index. Other components can call it unless it has only Redis triggers.
    pub fn callers(&self, component: usize) -> Callers {
        let is_target =
            |trigger: &HttpTrigger| matches!(trigger.target, Target::Component(index) if index == component);
        let redis = self.redis_triggers.iter().any(|trigger| trigger.component == component);
        Callers { http: !redis || self.http_triggers.iter().any(is_target), redis }
    }
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

/// A `[[trigger.redis]]`: which messages go to which component.
#[derive(Debug)]
pub struct RedisTrigger {
    /// The server, with user, password and database.
    pub server: redis::ConnectionInfo,
    /// The channel.
    pub channel: String,
    /// The index of the component in [`App::components`].
    pub component: usize,
}

/// Who responds to a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// The component with this index in [`App::components`].
    Component(usize),
    /// The host itself, with this response.
    Static(http::Response<bytes::Bytes>),
}
