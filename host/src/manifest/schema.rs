//! The tables and fields of spin.toml, manifest version 2. Fields that Spin accepts and this host does not support are
//! [`Unsupported`]: they are parsed, so that the error can name them instead of calling them unknown.

use indexmap::IndexMap;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

/// A field of Spin's that this host does not support.
pub type Unsupported = Option<Spanned<Value>>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Must be 2.
    pub spin_manifest_version: Spanned<u64>,
    pub application: Application,
    #[serde(default)]
    pub variables: IndexMap<Spanned<String>, Variable>,
    #[serde(default)]
    pub trigger: Triggers,
    #[serde(default)]
    pub component: IndexMap<Spanned<String>, Component>,
}

/// `[application]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub name: String,
    /// Its version, shown by `/.well-known/spin/info`.
    #[serde(default)]
    pub version: String,
    /// Settings of all triggers of a kind.
    #[serde(default)]
    pub trigger: TriggerDefaults,
    // For people and tools: no host reads these.
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<Value>,
    #[serde(default, rename = "tool")]
    _tool: Table,
}

/// `[application.trigger]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerDefaults {
    pub redis: Option<RedisDefaults>,
}

/// `[application.trigger.redis]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisDefaults {
    /// The server of triggers without an address: a template.
    pub address: Spanned<String>,
}

/// A row of `[variables]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    #[serde(rename = "description")]
    _description: Option<String>,
    /// Whether it must be given.
    pub required: Option<Spanned<bool>>,
    /// Its value if none is set.
    pub default: Option<String>,
    /// Whether its value must not be shown: this host shows none.
    #[serde(default, rename = "secret")]
    _secret: bool,
}

/// `[[trigger.*]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    #[serde(default)]
    pub http: Vec<Spanned<HttpTrigger>>,
    #[serde(default)]
    pub redis: Vec<Spanned<RedisTrigger>>,
}

/// One `[[trigger.http]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    pub route: Spanned<HttpRoute>,
    /// Which component responds …
    pub component: Option<Spanned<Value>>,
    /// … or the response itself.
    pub static_response: Option<Spanned<StaticResponse>>,
    /// How the component is called.
    pub executor: Option<Spanned<Table>>,
    /// Further components of a trigger.
    pub components: Unsupported,
    /// Middleware.
    pub dependencies: Unsupported,
}

/// One `[[trigger.redis]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    /// The channel: a template.
    pub channel: Spanned<String>,
    /// The server, if it is not that of `[application.trigger.redis]`: a template.
    pub address: Option<Spanned<String>>,
    /// Which component gets the messages.
    pub component: Spanned<Value>,
    /// Further components of a trigger.
    pub components: Unsupported,
    /// Middleware.
    pub dependencies: Unsupported,
}

/// `route = "/users/..."` or `route = { private = true }`
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum HttpRoute {
    Pattern(String),
    /// Reachable by other components only.
    Private {
        private: bool,
    },
}

/// A response that needs no component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticResponse {
    /// 200 unless given.
    pub status_code: Option<u16>,
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    #[serde(default)]
    pub body: String,
}

/// `[component.<id>]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub source: Spanned<Value>,
    /// One line, shown beside its routes.
    #[serde(default)]
    pub description: String,
    /// `[component.<id>.variables]`: names and templates.
    #[serde(default)]
    pub variables: IndexMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub environment: IndexMap<String, String>,
    /// The hosts that it may connect to.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<Spanned<String>>,
    pub files: Unsupported,
    pub exclude_files: Unsupported,
    /// The older form of `allowed_outbound_hosts`.
    pub allowed_http_hosts: Unsupported,
    pub key_value_stores: Unsupported,
    pub sqlite_databases: Unsupported,
    pub ai_models: Unsupported,
    /// Components that it is composed with.
    pub dependencies: Unsupported,
    /// Settings that those inherit.
    pub dependencies_inherit_configuration: Unsupported,
    // Only `spin build`, `spin --profile` and other tools read these.
    #[serde(rename = "targets")]
    _targets: Option<Value>,
    #[serde(rename = "build")]
    _build: Option<Value>,
    #[serde(rename = "profile")]
    _profile: Option<Value>,
    #[serde(rename = "tool")]
    _tool: Option<Value>,
}
