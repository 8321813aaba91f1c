//! The report, as Markdown.

mod cells;
mod requests;
mod results_file;
mod tables;

use std::path::PathBuf;

use anyhow::Result;

pub use requests::requests;
pub use tables::{attacks, events, invalidations, locks, operations, overload, sellers, starts, values};

use crate::workspace;

/// A table with its title, and what must be known to read it.
pub struct Section {
    pub title: String,
    /// Markdown, without the title.
    pub body: String,
}

impl Section {
    /// A table whose rows have these cells, the first of which is the name of the row, and the text below it.
    fn table(title: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>, about: &str) -> Self {
        let mut body = format!("| {} |\n|---|{}\n", head.join(" | "), "---:|".repeat(head.len() - 1));
        body.extend(rows.into_iter().map(|cells| format!("| {} |\n", cells.join(" | "))));
        Self { title: title.into(), body: format!("{body}\n{about}") }
    }

    /// Markdown. `machine` says how it was measured.
    pub fn text(&self, machine: &str) -> String {
        format!("## {}\n\n{machine}\n\n{}", self.title, self.body)
    }
}

/// Puts the sections into bench/results.md, in place of those with the same titles; returns its path.
///
/// # Errors
/// If the file cannot be written.
pub fn write(sections: &[Section], machine: &str) -> Result<PathBuf> {
    let path = workspace::root().join("bench/results.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let new: Vec<_> = sections.iter().map(|section| (section.title.as_str(), section.text(machine))).collect();
    std::fs::write(&path, results_file::with(&old, &new))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let row = vec!["by pattern".into(), "250.00".into()];
        let section = Section::table("Invalidation", &["", "ms"], [row], "About it.\n");
        let expected =
            "## Invalidation\n\nOn a machine.\n\n|  | ms |\n|---|---:|\n| by pattern | 250.00 |\n\nAbout it.\n";
        assert_eq!(section.text("On a machine."), expected);
    }
}
