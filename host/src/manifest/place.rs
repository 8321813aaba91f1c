//! The manifest's text, and errors that name file, line and column: `spin.toml:12:3: …`.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// The text of a manifest and where it came from.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
}

/// An error in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ManifestError {
    place: String,
    message: String,
}

impl Source {
    /// Reads the manifest at `path`: a file, or a folder with a spin.toml.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let path = if path.is_dir() { path.join("spin.toml") } else { path.to_owned() };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) => Err(anyhow::anyhow!("cannot read the manifest {}: {error}", path.display())),
        }
    }

    /// A manifest that is not in a file.
    #[cfg(test)]
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
    pub fn error(&self, span: &Range<usize>, message: impl Into<String>) -> ManifestError {
        ManifestError { place: self.place(span), message: message.into() }
    }

    /// The parser's error, with its place.
    pub fn parse_error(&self, error: &toml::de::Error) -> ManifestError {
        let place = match error.span() {
            Some(span) => self.place(&span),
            None => self.path.display().to_string(),
        };
        ManifestError { place, message: error.message().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("a/spin.toml", "first\nsecänd\nthird");
        assert_eq!(source.place(&(0..1)), "a/spin.toml:1:1");
        assert_eq!(source.place(&(5..6)), "a/spin.toml:1:6");
        assert_eq!(source.place(&(6..7)), "a/spin.toml:2:1");
        assert_eq!(source.place(&(14..15)), "a/spin.toml:3:1");
        assert_eq!(source.place(&(11..12)), "a/spin.toml:2:5");
        assert_eq!(source.error(&(6..7), "is wrong").to_string(), "a/spin.toml:2:1: is wrong");
    }

    #[test]
    fn paths_are_relative_to_the_manifests_folder() {
        assert_eq!(Source::new("a/spin.toml", "").folder().to_str(), Some("a"));
        assert_eq!(Source::new("spin.toml", "").folder().to_str(), Some("."));
    }
}
