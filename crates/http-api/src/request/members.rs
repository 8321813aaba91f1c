//! The members of a JSON object as they were written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, duplicates included. The values keep their text: numbers are not
/// rounded.
pub type MemberList = Vec<(String, Box<RawValue>)>;

/// An object whose members are checked one by one.
#[derive(Clone, Debug)]
pub struct Members(pub MemberList);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect::<Result<_, _>>().map(Members)
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_duplicates() {
        let Members(members) = serde_json::from_str(r#"{"b": 1.10, "a": [ ], "b": null}"#).unwrap();
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
        assert_eq!(members, [("b", "1.10"), ("a", "[ ]"), ("b", "null")]);
        assert!(serde_json::from_str::<Members>("[]").is_err());
    }
}
