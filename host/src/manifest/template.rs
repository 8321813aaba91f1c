//! Templates in spin.toml: text with `{{ variable }}` in it.

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// A `{{` without `}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid variable template: unmatched '{{{{' in template")]
pub struct UnmatchedBraces;

impl Template {
    /// Parses `text`. Blanks around a variable's name are ignored.
    pub fn parse(text: &str) -> Result<Self, UnmatchedBraces> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").ok_or(UnmatchedBraces)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The text with each variable replaced by its value from `lookup`. Errors: the first of `lookup`.
    pub fn render<'a, E>(&self, mut lookup: impl FnMut(&str) -> Result<&'a str, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(lookup(name)?),
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let template = Template::parse(template).map_err(|e| e.to_string())?;
        template.render(|name| match name {
            "host" => Ok("example.com"),
            "empty" => Ok(""),
            other => Err(format!("no {other}")),
        })
    }

    #[test]
    fn variables_are_replaced() {
        assert_eq!(render("http://{{ host }}:80").as_deref(), Ok("http://example.com:80"));
        assert_eq!(render("{{host}}{{ empty }}{{host }}").as_deref(), Ok("example.comexample.com"));
        assert_eq!(render("plain }} text").as_deref(), Ok("plain }} text"));
        assert_eq!(render("").as_deref(), Ok(""));
    }

    #[test]
    fn unknown_variables_and_unmatched_braces_are_errors() {
        assert_eq!(render("{{ nobody }}"), Err("no nobody".to_owned()));
        assert_eq!(render("{{ host }} {{ host"), Err(UnmatchedBraces.to_string()));
    }
}
