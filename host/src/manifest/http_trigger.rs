//! `[[trigger.http]]`: the route and who responds.

use anyhow::{Result, bail};
use toml::Spanned;

use super::app::{HttpTrigger, Target};
use super::place::Source;
use super::resolve::{component_index, refuse};
use super::schema::{self, HttpRoute};

/// Checks one trigger. `ids` are those of the components. Errors name the line.
pub fn resolve(source: &Source, trigger: &Spanned<schema::HttpTrigger>, ids: &[&str]) -> Result<HttpTrigger> {
    let (span, trigger) = (trigger.span(), trigger.get_ref());
    refuse(source, "components", &trigger.components)?;
    refuse(source, "dependencies", &trigger.dependencies)?;
    if let Some(executor) = &trigger.executor {
        let kind = executor.get_ref().get("type").and_then(|kind| kind.as_str());
        if executor.get_ref().len() != 1 || !matches!(kind, Some("http" | "spin")) {
            bail!(source.error(&executor.span(), "only executor = { type = \"http\" } is supported"));
        }
    }
    let route = match trigger.route.get_ref() {
        HttpRoute::Pattern(pattern) => Some(pattern.clone()),
        HttpRoute::Private { private: true } => None,
        HttpRoute::Private { private: false } => {
            bail!(source.error(&trigger.route.span(), "a route is a pattern or `{ private = true }`"));
        }
    };
    let target = match (&trigger.component, &trigger.static_response) {
        (Some(component), None) => Target::Component(component_index(source, component, ids)?),
        (None, Some(response)) => Target::Static(static_response(source, response)?),
        _ => bail!(source.error(&span, "a trigger has either `component` or `static_response`")),
    };
    Ok(HttpTrigger { place: source.place(&span), route, target })
}

fn static_response(source: &Source, fixed: &Spanned<schema::StaticResponse>) -> Result<http::Response<bytes::Bytes>> {
    let error = |message: String| source.error(&fixed.span(), message);
    let fixed = fixed.get_ref();
    let mut response = http::Response::new(fixed.body.clone().into());
    let status = fixed.status_code.unwrap_or(200);
    *response.status_mut() = status.try_into().map_err(|e| error(format!("status_code {status}: {e}")))?;
    for (name, value) in &fixed.headers {
        let name: http::HeaderName = name.parse().map_err(|e| error(format!("header {name:?}: {e}")))?;
        let value = value.parse().map_err(|e| error(format!("header value {value:?}: {e}")))?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
