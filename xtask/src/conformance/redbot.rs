//! REDbot, a lint for HTTP resources: it requests each resource several times and writes notes about the responses.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Row;
use crate::{command, workspace};

/// The version that is installed. Other versions may judge differently.
const PACKAGE: &str = "redbot==2.7.1";

/// How long the installation may take, for each of its steps.
const INSTALLATION: Duration = Duration::from_secs(120);

/// The resources. Two do not exist: the user 999999 and `/elsewhere`, which has no component. `/sellers` needs a token.
const PATHS: [&str; 9] = [
    "/users/1",
    "/users",
    "/users?limit=3",
    "/users/999999",
    "/api/cache/conformance",
    "/sellers",
    "/health/ready",
    "/elsewhere",
    "/.well-known/spin/info",
];

/// Installs REDbot with pip into a folder of its own below target/, unless it is there. Returns its program.
///
/// # Errors
/// If there is no Python, or the package cannot be downloaded.
pub fn install() -> Result<PathBuf> {
    let folder = workspace::target().join("xtask/redbot");
    let program = folder.join("bin/redbot");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("      installing {PACKAGE} with pip");
    command::run_within(Command::new("python3").args(["-m", "venv"]).arg(&folder), INSTALLATION)?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    command::run_within(&mut pip, INSTALLATION)?;
    ensure!(program.is_file(), "{PACKAGE} has no program `redbot`");
    Ok(program)
}

/// One row for each resource. Warnings and errors of REDbot fail.
///
/// # Errors
/// If REDbot does not end, or does not write what it should.
pub fn rows(program: &Path, address: &str) -> Result<Vec<Row>> {
    // One process for each, because most of their time is waiting.
    let asked = PATHS.map(|path| {
        let (program, url) = (program.to_owned(), format!("http://{address}{path}"));
        (path, std::thread::spawn(move || command::output(Command::new(program).args(["-o", "har", &url]))))
    });
    let mut rows = Vec::new();
    for (path, output) in asked {
        let output = output.join().expect("it does not panic")?;
        let report: Value = serde_json::from_str(&output).with_context(|| format!("REDbot on {path}: not JSON"))?;
        rows.push(judge(path, &report).with_context(|| format!("REDbot on {path}"))?);
    }
    Ok(rows)
}

/// REDbot extends the HTTP Archive format by its notes. Each has a level: GOOD, INFO, WARN or BAD.
fn judge(path: &str, report: &Value) -> Result<Row> {
    let entries = report["log"]["entries"].as_array().context("no entries")?;
    let notes: Vec<&Value> = entries.iter().filter_map(|entry| entry["_red_messages"].as_array()).flatten().collect();
    ensure!(!notes.is_empty(), "no notes, so the resource was not checked");
    let wrong: Vec<String> = notes
        .iter()
        .filter(|note| matches!(note["level"].as_str(), Some("WARN" | "BAD")))
        .map(|note| note["summary"].as_str().unwrap_or("a note without text").to_owned())
        .collect();
    let found = if wrong.is_empty() { format!("{} notes, no warning", notes.len()) } else { wrong.join("; ") };
    Ok(Row { case: format!("{:17} {path}", "REDbot"), found, passed: wrong.is_empty() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(notes: Value) -> Result<Row> {
        judge("/x", &json!({ "log": { "entries": [{ "_red_messages": notes }] } }))
    }

    #[test]
    fn warnings_fail_and_no_notes_are_an_error() {
        assert!(judged(json!([{ "level": "GOOD", "summary": "a" }])).unwrap().passed);
        let row = judged(json!([{ "level": "INFO", "summary": "a" }, { "level": "WARN", "summary": "b" }])).unwrap();
        assert!(!row.passed);
        assert_eq!(row.found, "b");
        assert!(judged(json!([])).is_err());
    }
}
