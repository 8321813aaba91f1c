//! The routes of an application, from its manifest.

use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// One line for each HTTP trigger, in the order of the manifest: route, component, description.
///
/// # Errors
/// If the manifest cannot be read or is not TOML.
pub fn of(manifest: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: Table = text.parse().with_context(|| format!("{} is not valid TOML", manifest.display()))?;
    let triggers = table.get("trigger").and_then(|trigger| trigger.get("http")).and_then(Value::as_array);
    let lines = triggers.into_iter().flatten().filter_map(|trigger| {
        let route = trigger.get("route")?.as_str()?;
        let component = trigger.get("component")?.as_str()?;
        let description = table.get("component").and_then(|all| all.get(component)?.get("description")?.as_str());
        Some(format!("{route:<20} {component:<10} {}", description.unwrap_or_default()))
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_manifest_of_the_project_has_routes() {
        let routes = super::of(&crate::workspace::root().join("spin.toml")).unwrap();
        assert!(routes.iter().any(|line| line.starts_with("/users/... ") && line.contains("CRUD")), "{routes:?}");
    }
}
