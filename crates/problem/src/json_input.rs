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
    if error.classify() != Category::Data {
        return malformed(error);
    }
    // A wrong type was met first, but what follows may not be JSON at all: that goes first, so that the same
    // document always gets the same kind of answer.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return malformed(&error);
    }
    Problem::validation(vec![FieldError::at(pointer, without_position(error))])
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::MalformedJson, format!("The request body is not valid JSON: {error}."))
}

/// The message in the words of JSON, and without the line and column that `serde_json` appends: the pointer says where.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
    let start = message.find('`').unwrap_or(message.len());
    // Names and values come in backticks: only what stands before them is Rust's.
    let (words, rest) = message.split_at(start);
    let words = [("sequence", "array"), ("map", "object"), ("field", "member"), ("floating point", "number")]
        .iter()
        .fold(words.to_owned(), |words, (rust, json)| words.replace(rust, json));
    let rest = rest.replace("expected a sequence", "expected an array").replace("expected a map", "expected an object");
    (words + &rest).replace("expected a array", "expected an array").replace("expected a object", "expected an object")
}

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
    pointer
}

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
        assert_eq!(problem.errors()[0].detail(), "invalid type: integer `5`, expected a string");
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
