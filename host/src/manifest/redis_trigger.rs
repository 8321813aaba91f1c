//! `[[trigger.redis]]`: the channel, its server, and the component that gets the messages.

use std::collections::HashMap;

use anyhow::{Result, bail};
use redis::{ConnectionInfo, IntoConnectionInfo};
use toml::Spanned;

use super::app::RedisTrigger;
use super::place::Source;
use super::resolve::{component_index, refuse, render};
use super::schema;

/// Checks one trigger. A trigger without an address has that of `[application.trigger.redis]`. `ids` are those of the
/// components, `values` those of the variables. Errors name the line.
pub fn resolve(
    source: &Source,
    trigger: &Spanned<schema::RedisTrigger>,
    defaults: Option<&schema::RedisDefaults>,
    ids: &[&str],
    values: &HashMap<String, String>,
) -> Result<RedisTrigger> {
    let (span, trigger) = (trigger.span(), trigger.get_ref());
    refuse(source, "components", &trigger.components)?;
    refuse(source, "dependencies", &trigger.dependencies)?;
    let Some(address) = trigger.address.as_ref().or(defaults.map(|defaults| &defaults.address)) else {
        let message = "a Redis trigger needs an `address`, here or for all of them in [application.trigger.redis]";
        bail!(source.error(&span, message));
    };
    Ok(RedisTrigger {
        server: server(source, address, values)?,
        channel: render(source, &trigger.channel, values)?,
        component: component_index(source, &trigger.component, ids)?,
    })
}

/// Parses an address. The error does not contain it: it may have a password.
fn server(source: &Source, address: &Spanned<String>, values: &HashMap<String, String>) -> Result<ConnectionInfo> {
    let url = render(source, address, values)?;
    url.into_connection_info().map_err(|error| {
        let message =
            format!("the address is not valid: {error}; expected redis://<host>[:<port>], or rediss:// for TLS");
        source.error(&address.span(), message)
    })
}
