//! The application, compiled and with its routes, and how to run it: what all workers share.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use serde_json::json;

use super::routes::Router;
use crate::engine::{self, Compiled};
use crate::manifest::{App, Component, Target};
use crate::pool::Limits;

/// How to run an application.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on. With port 0 the system chooses the port.
    pub listen: SocketAddr,
    /// The number of threads.
    pub workers: usize,
    /// The limits of instances and queues.
    pub limits: Limits,
    /// Whether the output of components is discarded.
    pub quiet: bool,
}

/// The application, compiled and with its routes.
pub struct Application {
    /// The body of `/.well-known/spin/info`.
    pub info: Bytes,
    /// Its routes.
    pub router: Router,
    /// Its components …
    pub components: Vec<Arc<Component>>,
    /// … compiled, in the same order.
    pub compiled: Vec<Compiled>,
}

impl Application {
    /// Compiles `app`. Errors: routes that are not valid, components that cannot be compiled.
    pub fn new(app: App) -> Result<Self> {
        let router = Router::new(&app)?;
        let compiled = engine::compile(&engine::engine()?, &app)?;
        let mut info = json!({ "name": app.name });
        if !app.version.is_empty() {
            info["version"] = json!(app.version);
        }
        let info = serde_json::to_vec_pretty(&info)?.into();
        Ok(Self { info, router, components: app.components.into_iter().map(Arc::new).collect(), compiled })
    }

    /// The text that names the address and all routes.
    pub fn announcement(&self, address: SocketAddr) -> String {
        let base = format!("http://{address}");
        let mut text = format!("Serving {base}\nAvailable Routes:\n");
        for route in self.router.iter() {
            let pattern = route.pattern.to_str().unwrap_or_default();
            let (path, wildcard) = match pattern.strip_suffix("/...") {
                Some(prefix) => (prefix, " (wildcard)"),
                None => (pattern, ""),
            };
            let (name, description) = match &route.target {
                Target::Component(index) => {
                    let component = &self.components[*index];
                    (component.id.as_str(), component.description.as_str())
                }
                Target::Static(_) => ("static response", ""),
            };
            text.push_str(&format!("  {name}: {base}{path}{wildcard}\n"));
            if !description.is_empty() {
                text.push_str(&format!("    {description}\n"));
            }
        }
        text
    }
}
