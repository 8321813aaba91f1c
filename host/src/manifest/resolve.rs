//! Makes an [`App`] of a manifest: checks everything and fills in the variables.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};
use toml::{Spanned, Value};

use super::allowed_hosts::{AllowedHost, AllowedHosts};
use super::app::{App, Component};
use super::place::Source;
use super::schema::{self, Unsupported};
use super::variables::{check_name, environment_name, fill_in};
use super::{http_trigger, redis_trigger};

/// Makes an application of a manifest.
///
/// A variable's value comes from `given` (the command line), else from `environment` (looks up an environment
/// variable), else it is the default. `env` are environment variables for every component. Errors name file and line:
/// what is not valid, what this host does not support, variables without a value.
pub fn resolve(
    source: &Source,
    given: &HashMap<String, String>,
    environment: impl Fn(&str) -> Option<String>,
    env: &[(String, String)],
) -> Result<App> {
    let manifest: schema::Manifest = toml::from_str(source.text()).map_err(|error| source.parse_error(&error))?;
    let version = &manifest.spin_manifest_version;
    if *version.get_ref() != 2 {
        bail!(source.error(&version.span(), "only spin_manifest_version = 2 is supported"));
    }
    let values = variable_values(source, &manifest.variables, given, environment)?;
    let ids: Vec<&str> = manifest.component.keys().map(|id| id.get_ref().as_str()).collect();
    let component = |(id, component)| resolve_component(source, id, component, &ids, &values, env);
    let components = manifest.component.iter().map(component).collect::<Result<_>>()?;
    let http_trigger = |trigger| http_trigger::resolve(source, trigger, &ids);
    let http_triggers: Vec<_> = manifest.trigger.http.iter().map(http_trigger).collect::<Result<_>>()?;
    let redis_defaults = manifest.application.trigger.redis.as_ref();
    let redis_trigger = |trigger| redis_trigger::resolve(source, trigger, redis_defaults, &ids, &values);
    let redis_triggers: Vec<_> = manifest.trigger.redis.iter().map(redis_trigger).collect::<Result<_>>()?;
    if http_triggers.is_empty() && redis_triggers.is_empty() {
        let message = "the application has no triggers: add a [[trigger.http]] for each route, or a [[trigger.redis]]";
        bail!("{}: {message}", source.place(&(0..0)));
    }
    let schema::Application { name, version, .. } = manifest.application;
    Ok(App { name, version, components, http_triggers, redis_triggers })
}

/// An error if the manifest has the field `name`.
pub fn refuse(source: &Source, name: &str, value: &Unsupported) -> Result<()> {
    match value {
        None => Ok(()),
        Some(value) => Err(source.error(&value.span(), format!("`{name}` is not supported by this host"))),
    }
}

fn variable_values(
    source: &Source,
    variables: &indexmap::IndexMap<Spanned<String>, schema::Variable>,
    given: &HashMap<String, String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<HashMap<String, String>> {
    for name in given.keys().filter(|name| !variables.contains_key(name.as_str())) {
        eprintln!("warning: --variable {name}: there is no such variable in [variables] of the manifest");
    }
    let mut values = HashMap::new();
    let mut missing = Vec::new();
    for (name, variable) in variables {
        check_name(name.get_ref()).map_err(|reason| source.error(&name.span(), format!("variable {reason}")))?;
        let required = variable.required.as_ref().is_some_and(|required| *required.get_ref());
        if required == variable.default.is_some() {
            let message = format!("variable {:?} must have either `default` or `required = true`", name.get_ref());
            bail!(source.error(&name.span(), message));
        }
        let value = given.get(name.get_ref()).cloned();
        let value = value.or_else(|| environment(&environment_name(name.get_ref()))).or(variable.default.clone());
        match value {
            Some(value) => drop(values.insert(name.get_ref().clone(), value)),
            None => missing.push(name),
        }
    }
    if let Some(first) = missing.first() {
        let names: Vec<&str> = missing.iter().map(|name| name.get_ref().as_str()).collect();
        let message = format!(
            "no value for the required variable(s) {}: use --variable {}=… or set the environment variable {}",
            names.join(", "),
            first.get_ref(),
            environment_name(first.get_ref()),
        );
        bail!(source.error(&first.span(), message));
    }
    Ok(values)
}

/// Replaces the variables in a template.
pub fn render(source: &Source, text: &Spanned<String>, values: &HashMap<String, String>) -> Result<String> {
    fill_in(text.get_ref(), values).map_err(|message| source.error(&text.span(), message))
}

fn resolve_component(
    source: &Source,
    id: &Spanned<String>,
    component: &schema::Component,
    ids: &[&str],
    values: &HashMap<String, String>,
    env: &[(String, String)],
) -> Result<Component> {
    check_component_id(id.get_ref()).map_err(|reason| source.error(&id.span(), reason))?;
    for (name, value) in [
        ("files", &component.files),
        ("exclude_files", &component.exclude_files),
        ("allowed_http_hosts", &component.allowed_http_hosts),
        ("key_value_stores", &component.key_value_stores),
        ("sqlite_databases", &component.sqlite_databases),
        ("ai_models", &component.ai_models),
        ("dependencies", &component.dependencies),
        ("dependencies_inherit_configuration", &component.dependencies_inherit_configuration),
    ] {
        refuse(source, name, value)?;
    }
    let Some(file) = component.source.get_ref().as_str() else {
        bail!(source.error(&component.source.span(), "only a file is supported as the component's source"));
    };
    let mut variables = HashMap::new();
    for (name, template) in &component.variables {
        check_name(name.get_ref()).map_err(|reason| source.error(&name.span(), format!("variable {reason}")))?;
        variables.insert(name.get_ref().clone(), render(source, template, values)?);
    }
    let mut hosts = Vec::new();
    for host in &component.allowed_outbound_hosts {
        let text = render(source, host, values)?;
        // As in Spin, a template may be empty after the variables are filled in: an optional server that is not set.
        let is_template = text != *host.get_ref();
        if is_template && matches!(text.as_str(), "" | "http://" | "https://") {
            continue;
        }
        let parsed = AllowedHost::parse(&text).map_err(|e| source.error(&host.span(), format!("{e:#}")))?;
        hosts.extend(parsed.expand_chaining(ids));
    }
    let overridden: HashSet<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
    let own = component.environment.iter().filter(|(name, _)| !overridden.contains(name.as_str()));
    Ok(Component {
        id: id.get_ref().clone(),
        place: source.place(&id.span()),
        description: component.description.clone(),
        source: source.folder().join(file),
        environment: own.map(|(name, value)| (name.clone(), value.clone())).chain(env.iter().cloned()).collect(),
        variables,
        allowed_hosts: AllowedHosts::new(hosts),
    })
}

/// The index of the component that a trigger names. Errors: there is none, or it is defined within the trigger.
pub fn component_index(source: &Source, component: &Spanned<Value>, ids: &[&str]) -> Result<usize> {
    let Some(id) = component.get_ref().as_str() else {
        let message = "a component defined within its trigger is not supported by this host: use [component.<id>]";
        bail!(source.error(&component.span(), message));
    };
    let index = ids.iter().position(|known| *known == id);
    index.ok_or_else(|| source.error(&component.span(), format!("there is no [component.{id}]")))
}

/// Checks for words of the component model, separated by hyphens (`my-component`).
fn check_component_id(id: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && (word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                || word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()))
    };
    if id.split('-').all(is_word) {
        return Ok(());
    }
    Err(format!("component id {id:?}: expected words of letters and digits, separated by hyphens"))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
