//! Arrays whose length is limited while they are parsed: an element can take many times its bytes in memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// The first `MAX + 1` elements of an array. So a list of more than `MAX` elements was too long; the rest is skipped.
#[derive(Debug)]
pub struct Limited<T, const MAX: usize>(pub Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Limited<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = Limited<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Limited<T, MAX>, A::Error> {
                let mut list = Vec::new();
                while list.len() <= MAX {
                    match elements.next_element()? {
                        Some(element) => list.push(element),
                        None => return Ok(Limited(list)),
                    }
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Limited(list))
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_beyond_the_limit_are_skipped() {
        let read = |json: &str| serde_json::from_str::<Limited<u8, 2>>(json).map(|Limited(list)| list);
        assert_eq!(read("[]").unwrap(), [0; 0]);
        assert_eq!(read("[1,2]").unwrap(), [1, 2]);
        assert_eq!(read(r#"[1,2,3,"four",[5]]"#).unwrap(), [1, 2, 3]);
        for bad in ["[1,2,3,4", r#"["one"]"#, "{}", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
