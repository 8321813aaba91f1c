//! The manifest's text, and errors that name file, line and column: `spin.toml:12:3: …`.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// The text of a manifest and where it came from.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Reads the manifest at `path`: a file, or a folder with a spin.toml.
    pub fn read(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join("spin.toml") } else { path.to_owned() };
        let text = std::fs::read_to_string(&path);
        Ok(Self { text: text.with_context(|| format!("cannot read the manifest {}", path.display()))?, path })
    }

    /// A manifest that is not in a file.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that paths in the manifest are relative to.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// `file:line:column` of the start of `span` (byte offsets).
    pub fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}:{line}:{column}", self.path.display())
    }

    /// An error at `span`.
    pub fn error(&self, span: &Range<usize>, message: impl Display) -> anyhow::Error {
        anyhow!("{}: {message}", self.place(span))
    }

    /// The parser's error, with its place.
    pub fn parse_error(&self, error: &toml::de::Error) -> anyhow::Error {
        match error.span() {
            Some(span) => self.error(&span, error.message()),
            None => anyhow!("{}: {}", self.path.display(), error.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("a/spin.toml", "first\nsecänd\nthird");
        for (start, place) in [(0, "1:1"), (5, "1:6"), (6, "2:1"), (14, "3:1"), (11, "2:5")] {
            assert_eq!(source.place(&(start..start + 1)), format!("a/spin.toml:{place}"));
        }
        assert_eq!(source.error(&(6..7), "is wrong").to_string(), "a/spin.toml:2:1: is wrong");
    }

    #[test]
    fn paths_are_relative_to_the_manifests_folder() {
        assert_eq!(Source::new("a/spin.toml", "").folder().to_str(), Some("a"));
        assert_eq!(Source::new("spin.toml", "").folder().to_str(), Some("."));
    }
}
