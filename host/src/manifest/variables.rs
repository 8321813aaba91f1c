//! The application's variables: names, values from `--variable`, and `{{ name }}` in a text.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// One `--variable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableSource {
    /// `name=value`
    Literal(String, String),
    /// `name=@file`: the value is the file's content, unchanged.
    FileContent(String, PathBuf),
    /// `@file.json`: an object of names and strings.
    JsonFile(PathBuf),
    /// `@file.toml`: a table of names and strings.
    TomlFile(PathBuf),
}

impl FromStr for VariableSource {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix('@') {
            let path = PathBuf::from(path);
            return match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => Ok(Self::JsonFile(path)),
                Some("toml") => Ok(Self::TomlFile(path)),
                _ => bail!("the name of a file of variables must end with .json or .toml"),
            };
        }
        let Some((name, value)) = text.split_once('=') else {
            bail!("expected `name=value`, `name=@file`, `@file.json` or `@file.toml`");
        };
        Ok(match value.strip_prefix('@') {
            Some(path) => Self::FileContent(name.to_owned(), PathBuf::from(path)),
            None => Self::Literal(name.to_owned(), value.to_owned()),
        })
    }
}

impl VariableSource {
    /// Adds its variables to `values`, replacing earlier ones. Errors: a file that cannot be read or parsed.
    pub fn read_into(&self, values: &mut HashMap<String, String>) -> Result<()> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read variables from {}", path.display()))
        };
        match self {
            Self::Literal(name, value) => drop(values.insert(name.clone(), value.clone())),
            Self::FileContent(name, path) => drop(values.insert(name.clone(), read(path)?)),
            Self::JsonFile(path) | Self::TomlFile(path) => {
                let text = read(path)?;
                let parsed: Result<HashMap<String, String>> = match self {
                    Self::JsonFile(_) => serde_json::from_str(&text).map_err(Into::into),
                    _ => toml::from_str(&text).map_err(Into::into),
                };
                values.extend(parsed.with_context(|| format!("cannot parse variables from {}", path.display()))?);
            }
        }
        Ok(())
    }
}

/// The environment variable that sets the variable `name`.
pub fn environment_name(name: &str) -> String {
    format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())
}

/// Replaces each `{{ name }}` in `text` by its value. Blanks around the name are ignored. The error is the reason.
pub fn fill_in(text: &str, values: &HashMap<String, String>) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").ok_or("invalid variable template: unmatched '{{' in template")?;
        let name = name.trim();
        let value = values.get(name).ok_or_else(|| format!("unknown variable {name:?}: add it to [variables]"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = behind;
    }
    Ok(filled + rest)
}

/// Checks a variable's name: lower-case letters, digits and single underscores; the first a letter, the last a letter
/// or digit. The error is the reason, with Spin's text, because components see it.
pub fn check_name(name: &str) -> Result<(), String> {
    let reason = if name.is_empty() {
        "must not be empty".to_owned()
    } else if let Some(invalid) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_')) {
        format!(
            "invalid character {invalid:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        )
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must start with a lowercase ASCII letter".to_owned()
    } else if name.ends_with('_') {
        "must end with a lowercase ASCII letter or digit".to_owned()
    } else if name.contains("__") {
        "must not contain multiple consecutive underscores".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("{name:?}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_parsed() {
        let parse = |text: &str| text.parse::<VariableSource>().expect("well-formed");
        assert_eq!(parse("k=v=w"), VariableSource::Literal("k".into(), "v=w".into()));
        assert_eq!(parse("k=@v.txt"), VariableSource::FileContent("k".into(), "v.txt".into()));
        assert_eq!(parse("@v.json"), VariableSource::JsonFile("v.json".into()));
        assert_eq!(parse("@v.toml"), VariableSource::TomlFile("v.toml".into()));
        for bad in ["nope", "@nope", "@nope.txt"] {
            assert!(bad.parse::<VariableSource>().is_err(), "{bad}");
        }
    }

    #[test]
    fn later_sources_win() {
        let mut values = HashMap::new();
        for text in ["k=1", "other=3", "k=2"] {
            text.parse::<VariableSource>().and_then(|source| source.read_into(&mut values)).expect("literals");
        }
        assert_eq!(values["k"], "2");
        assert_eq!(values["other"], "3");
    }

    #[test]
    fn variables_in_a_text_are_replaced() {
        let values = HashMap::from([("host".into(), "example.com".into()), ("empty".into(), String::new())]);
        for (text, filled) in [
            ("http://{{ host }}:80", "http://example.com:80"),
            ("{{host}}{{ empty }}{{host }}", "example.comexample.com"),
            ("plain }} text", "plain }} text"),
            ("", ""),
        ] {
            assert_eq!(fill_in(text, &values).as_deref(), Ok(filled));
        }
        for bad in ["{{ nobody }}", "{{ host }} {{ host"] {
            assert!(fill_in(bad, &values).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_follow_spins_rules() {
        for good in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
