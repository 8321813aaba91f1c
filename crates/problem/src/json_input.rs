//! From the bytes of a request body to a typed value, or to a problem that names the offending member.

use std::fmt;
use std::marker::PhantomData;

use crate::{FieldError, Kind, Problem};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Reads one JSON document.
///
/// # Errors
/// [`Kind::MalformedJson`] when `bytes` are not JSON (RFC 8259); [`Kind::Validation`], naming the member, when they
/// are and a member is unknown, doubled or of the wrong type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // In what is left out, such as the value of an unknown member, serde_json does not look.
    let text = str::from_utf8(bytes)
        .map_err(|error| Problem::new(Kind::MalformedJson, format!("The request body is not valid JSON: {error}.")))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = json_pointer(error.path());
        describe(bytes, &pointer, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// A `T` that must be written as a JSON object. Derived implementations of `Deserialize` take an array of the members'
/// values as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

fn describe(bytes: &[u8], pointer: &str, error: &serde_json::Error) -> Problem {
    let message = Excerpt::of(error);
    // JSON that is beyond what can be read here, which serde_json calls a matter of syntax.
    let beyond =
        [("number out of range", "is too large a number"), ("recursion limit exceeded", "is nested too deeply")];
    if let Some((_, detail)) = beyond.iter().find(|(start, _)| message.head.starts_with(start)) {
        return Problem::validation(vec![FieldError::at(pointer, *detail)]);
    }
    if error.classify() != Category::Data {
        return malformed(error);
    }
    // A wrong type was met first, but what follows may not be JSON at all: that goes first, so that the same
    // document always gets the same kind of answer.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return malformed(&error);
    }
    Problem::validation(vec![FieldError::at(pointer, message.in_words_of_json())])
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::MalformedJson, format!("The request body is not valid JSON: {error}."))
}

/// The beginning and the end of a message of `serde_json`, which may quote what was sent at any length.
#[derive(Default)]
struct Excerpt {
    head: String,
    tail: String,
}

/// Bytes that are kept of a message's beginning; of its end it may be twice as many.
const EXCERPT: usize = 160;

impl fmt::Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = EXCERPT.saturating_sub(self.head.len());
        let taken = if self.tail.is_empty() { text.floor_char_boundary(room) } else { 0 };
        self.head.push_str(&text[..taken]);
        let rest = &text[taken..];
        self.tail.push_str(&rest[rest.ceil_char_boundary(rest.len().saturating_sub(EXCERPT))..]);
        if self.tail.len() > 2 * EXCERPT {
            self.tail.drain(..self.tail.ceil_char_boundary(self.tail.len() - EXCERPT));
        }
        Ok(())
    }
}

impl Excerpt {
    fn of(error: &serde_json::Error) -> Self {
        use std::fmt::Write;

        let mut excerpt = Self::default();
        write!(excerpt, "{error}").expect("an excerpt takes any text");
        excerpt
    }

    /// What was expected, in the words of JSON; without what was sent, which may be a secret, and without the line and
    /// column that `serde_json` appends: the pointer says where.
    fn in_words_of_json(&self) -> String {
        let end = |text: &str| text.rfind(" at line ").unwrap_or(text.len());
        let whole = [self.head.as_str(), &self.tail].concat();
        let whole = &whole[..end(&whole)];
        // "invalid type: string "…", expected a number", "unknown field `…`, expected `…` or `…`", "missing field `…`"
        let expected = whole.rfind(", expected ").map_or("", |at| &whole[at..]);
        let found = whole.find(['`', '"']).map_or(whole, |quoted| whole[..quoted].trim_end());
        let found = found.split(", expected ").next().unwrap_or_default();
        let named = ["missing field", "duplicate field"].contains(&found) && self.tail.is_empty();
        let words = if named { whole.to_owned() } else { [found, expected].concat() };
        // Only what is not in backticks is Rust's.
        let pieces = words.split('`').enumerate().map(|(at, piece)| match at % 2 {
            0 => JSON_WORDS.iter().fold(piece.to_owned(), |piece, (rust, json)| piece.replace(rust, json)),
            _ => format!("`{piece}`"),
        });
        pieces.collect()
    }
}

const JSON_WORDS: [(&str, &str); 6] = [
    ("a sequence", "an array"),
    ("a map", "an object"),
    ("sequence", "array"),
    ("map", "object"),
    ("field", "member"),
    ("floating point", "number"),
];

/// The path as a JSON Pointer (RFC 6901): `/3/email`, with `~` and `/` escaped.
fn json_pointer(path: &Path) -> String {
    use std::fmt::Write;

    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => write!(pointer, "/{index}").expect("a String takes any text"),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer.truncate(pointer.floor_char_boundary(POINTER_MAX));
    pointer
}

/// Bytes of a pointer at most: members that we know have short names.
const POINTER_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pet {
        #[serde(rename = "name")]
        _name: Option<String>,
        #[serde(rename = "tags", default)]
        _tags: Vec<String>,
    }

    fn refused(body: &str) -> (Kind, Vec<String>) {
        let problem = parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err();
        let pointers = problem.errors().iter().map(|error| error.pointer().unwrap_or("none").to_owned()).collect();
        (problem.kind(), pointers)
    }

    #[test]
    fn names_the_member_of_the_wrong_type() {
        assert_eq!(refused(r#"[{"name": 5}]"#), (Kind::Validation, vec!["/0/name".to_owned()]));
        assert_eq!(refused(r#"[{}, {"tags": ["a", null]}]"#), (Kind::Validation, vec!["/1/tags/1".to_owned()]));
        assert_eq!(refused(r#"{"name": 5}"#), (Kind::Validation, vec![String::new()]));
        assert_eq!(refused(r#"[["Rex", []]]"#), (Kind::Validation, vec!["/0".to_owned()]));
    }

    #[test]
    fn names_unknown_and_doubled_members() {
        assert_eq!(refused(r#"[{"a/b~c": 1}]"#), (Kind::Validation, vec!["/0/a~1b~0c".to_owned()]));
        // The object's pointer: that the name comes twice concerns both members.
        let problem = parse::<Vec<Object<Pet>>>(br#"[{"name": "a", "name": "b"}]"#).unwrap_err();
        assert_eq!(problem.errors(), [FieldError::at("/0", "duplicate member `name`")]);
    }

    #[test]
    fn the_detail_says_what_without_line_and_column() {
        let problem = parse::<Vec<Object<Pet>>>(br#"[{"name": 5}]"#).unwrap_err();
        assert_eq!(problem.errors()[0].detail(), "invalid type: integer, expected a string");
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let detail =
            |body: &str| parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err().errors()[0].detail().to_owned();
        let long = "\u{7f}".repeat(100_000);
        assert_eq!(detail(&format!(r#"[{{"tags": "{long}"}}]"#)), "invalid type: string, expected an array");
        assert_eq!(detail(r#"[{"tags": "a, expected b"}]"#), "invalid type: string, expected an array");
        assert_eq!(detail(r#"[{"tags": {"a": 1}}]"#), "invalid type: object, expected an array");
        assert_eq!(detail(r#"[{"x": 1}]"#), "unknown member, expected `name` or `tags`");
        let problem = parse::<Vec<Object<Pet>>>(format!(r#"[{{"{long}": 1}}]"#).as_bytes()).unwrap_err();
        assert!(problem.to_json().len() < 2_000, "{}", problem.to_json().len());
    }

    #[test]
    fn json_that_is_beyond_us_is_no_bad_json() {
        assert_eq!(refused(r#"[{"name": 1e400}]"#), (Kind::Validation, vec!["/0/name".to_owned()]));
        let deep = format!("[{}{}]", "[".repeat(200), "]".repeat(200));
        assert_eq!(refused(&deep).0, Kind::Validation);
    }

    #[test]
    fn bad_json_wins_over_a_wrong_type_that_stands_before_it() {
        for body in ["", "[", "nul", r#"[{"name": 5"#, "[] []", "[{}],", "[\"\\ud800\"]"] {
            assert_eq!(refused(body), (Kind::MalformedJson, vec![]), "{body:?}");
        }
        for body in [&b"[{\"name\": \"\xff\"}]"[..], b"[{\"unknown\": \"\xff\"}]"] {
            assert_eq!(parse::<Vec<Object<Pet>>>(body).unwrap_err().kind(), Kind::MalformedJson);
        }
    }
}
