//! The pattern of a route, and the paths that it matches, as in Spin: `/users/me` matches itself, `:name` any one
//! segment, and `/...` (or `/*`) at the end the rest of the path, also an empty one. Slashes at both ends of a path
//! make no difference.

use anyhow::{Result, bail, ensure};

/// A parsed pattern. The order is that in which patterns are tried: the first of two that match a path is the better
/// one.
#[derive(Debug)]
pub struct Pattern(Vec<Segment>);

/// A part of a pattern between two slashes.
#[derive(Debug)]
enum Segment {
    Literal(String),
    Named(String),
    Wildcard,
}

/// What a pattern has found in a path.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The `:name` parts and their values.
    pub named: Vec<(&'a str, &'a str)>,
    /// What the wildcard stands for, without slashes at its ends; `None`: the pattern has none.
    pub wildcard: Option<&'a str>,
}

impl Pattern {
    /// Parses a pattern, with or without slashes at its ends. Errors: a wildcard before the end, a `:` without a name,
    /// a `:name` that is not a whole segment.
    pub fn parse(text: &str) -> Result<Self> {
        let texts: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        let last = texts.len().wrapping_sub(1);
        let parse = |(at, text): (usize, &&str)| {
            Ok(match text.strip_prefix(':') {
                Some(name) => {
                    ensure!(!name.is_empty(), "a name must follow `:`");
                    ensure!(!name.contains('.'), "`:{name}` must be a whole segment, without a dot");
                    Segment::Named(name.to_owned())
                }
                None if matches!(*text, "..." | "*") && at == last => Segment::Wildcard,
                None if *text == "..." || text.starts_with('*') => bail!("`{text}` may only be the end, as `/...`"),
                None if text.contains(".:") => bail!("a `:name` must be a whole segment"),
                None => Segment::Literal((*text).to_owned()),
            })
        };
        texts.iter().enumerate().map(parse).collect::<Result<_>>().map(Self)
    }

    /// A key for sorting. At the first segment in which two patterns differ, the end comes first, then a literal, a
    /// `:name`, a wildcard. So exact patterns come before wildcards, and longer wildcards before shorter ones.
    pub fn rank(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Named(_) => 1,
            Segment::Wildcard => 2,
        };
        self.0.iter().map(rank).collect()
    }

    /// What the pattern finds in `path`; `None`: it does not match.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Found<'a>> {
        let mut rest = Some(path.trim_matches('/')).filter(|path| !path.is_empty());
        let mut named = Vec::new();
        for segment in &self.0 {
            if let Segment::Wildcard = segment {
                return Some(Found { named, wildcard: Some(rest.unwrap_or_default()) });
            }
            let (text, tail) = match rest?.split_once('/') {
                Some((text, tail)) => (text, Some(tail)),
                None => (rest?, None),
            };
            match segment {
                Segment::Literal(literal) if literal != text => return None,
                Segment::Named(name) => named.push((name.as_str(), text)),
                _ => {}
            }
            rest = tail;
        }
        rest.is_none().then_some(Found { named, wildcard: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, path: &str) -> Option<(Vec<String>, Option<String>)> {
        let pattern = Pattern::parse(pattern).expect("valid");
        let found = pattern.find(path)?;
        let named = found.named.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some((named, found.wildcard.map(str::to_owned)))
    }

    #[test]
    fn literals_match_themselves() {
        for path in ["/a/b", "a/b", "/a/b/", "//a/b//"] {
            assert_eq!(find("/a/b", path), Some((vec![], None)), "{path}");
        }
        for path in ["/", "", "/a", "/a/b/c", "/a/bc", "/a//b", "/A/b", "/a%2Fb", "/b/a"] {
            assert_eq!(find("/a/b", path), None, "{path}");
        }
        for (root, path) in [("/", "/"), ("", ""), ("/", "//")] {
            assert_eq!(find(root, path), Some((vec![], None)));
            assert_eq!(find(root, "/a"), None);
        }
        // Only a segment that begins with a colon or a star is special.
        for literal in ["/a:b", "/a*b", "/a.b", "/..a", "/v1.0/x"] {
            assert_eq!(find(literal, literal), Some((vec![], None)), "{literal}");
        }
        assert_eq!(find("/a.b", "/axb"), None);
    }

    #[test]
    fn a_name_matches_one_segment() {
        assert_eq!(find("/:id", "/7/"), Some((vec!["id=7".into()], None)));
        assert_eq!(find("/:id", "/a.b:c"), Some((vec!["id=a.b:c".into()], None)));
        assert_eq!(find("/a/:x/b/:y", "/a/1/b/2"), Some((vec!["x=1".into(), "y=2".into()], None)));
        assert_eq!(find("/a/:x/b", "/a//b"), Some((vec!["x=".into()], None)), "an empty one, too, as in Spin");
        for path in ["/", "/a", "/a/", "/a/1/2"] {
            assert_eq!(find("/a/:x", path), None, "{path}");
        }
        assert_eq!(find("/:id", "/"), None);
    }

    #[test]
    fn a_wildcard_matches_the_rest() {
        for pattern in ["/a/...", "/a/*"] {
            for (path, rest) in [("/a", ""), ("/a/", ""), ("/a/b", "b"), ("/a/b/c/", "b/c"), ("/a//b", "/b")] {
                assert_eq!(find(pattern, path), Some((vec![], Some(rest.into()))), "{path}");
            }
            assert_eq!(find(pattern, "/ab"), None);
        }
        assert_eq!(find("/...", "/"), Some((vec![], Some(String::new()))));
        assert_eq!(find("/:x/...", "/1/2"), Some((vec!["x=1".into()], Some("2".into()))));
    }

    #[test]
    fn what_cannot_be_a_pattern_is_refused() {
        for bad in ["/.../a", "/*/a", "/*rest", "/:", "/a/:/b", "/:id.json", "/a.:b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_better_pattern_comes_first() {
        let expected =
            ["/", "/a", "/a/b", "/a/b/...", "/a/:x", "/a/:x/b", "/a/:x/...", "/a/...", "/:x", "/:x/b", "/..."];
        let mut sorted = expected;
        sorted.reverse();
        sorted.sort_by_key(|pattern| Pattern::parse(pattern).expect("valid").rank());
        assert_eq!(sorted, expected);
    }
}
