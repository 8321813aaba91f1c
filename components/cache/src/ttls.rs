//! The TTLs of described entries whose request has none, by module and operation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr;

use http_api::Problem;
use spin_adapter::variables;

use crate::described::{Described, entry_name};
use crate::problems;
use crate::ttl::{Seconds, TTL_OR_NONE};

/// The TTL where nothing else is configured.
const DEFAULT_S: Seconds = 300;
/// How many operations an instance remembers the TTL of.
const KNOWN_MAX: usize = 1_000;
/// Stands for any module or any operation.
const ANY: &str = "*";

/// The variable `cache_ttls`, such as `posts.list=60, posts.*=300, *.create=0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TtlTable(HashMap<(String, String), Seconds>);

/// `cache_ttls` is not a list of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTtls;

impl FromStr for TtlTable {
    type Err = InvalidTtls;

    fn from_str(text: &str) -> Result<Self, InvalidTtls> {
        let mut table = HashMap::new();
        for row in text.split(',').map(str::trim).filter(|row| !row.is_empty()) {
            let (names, seconds) = row.split_once('=').ok_or(InvalidTtls)?;
            let (module, operation) = names.trim().split_once('.').ok_or(InvalidTtls)?;
            let name = |text: &str| if text == ANY { Ok(ANY.to_owned()) } else { entry_name(text.to_owned()) };
            let (Ok(module), Ok(operation)) = (name(module), name(operation)) else { return Err(InvalidTtls) };
            let seconds = TTL_OR_NONE.parse(seconds.trim()).map_err(|_| InvalidTtls)?;
            if table.insert((module, operation), seconds).is_some() {
                return Err(InvalidTtls);
            }
        }
        Ok(Self(table))
    }
}

impl TtlTable {
    /// The TTL of the most specific row: of the operation in its module, of the module, of the operation in any module,
    /// of everything.
    fn find(&self, module: &str, operation: &str) -> Option<Seconds> {
        [(module, operation), (module, ANY), (ANY, operation), (ANY, ANY)]
            .into_iter()
            .find_map(|(module, operation)| self.0.get(&(module.to_owned(), operation.to_owned())).copied())
    }
}

/// The TTLs of an instance.
#[derive(Debug)]
pub struct Ttls {
    table: TtlTable,
    /// The TTLs that were looked up before, by module and operation.
    known: RefCell<HashMap<(String, String), Seconds>>,
}

impl Ttls {
    /// Those of the table, and of the variables `cache_ttl_{module}_{operation}`.
    pub fn new(table: TtlTable) -> Self {
        Self { table, known: RefCell::default() }
    }

    /// The TTL of an entry, in seconds; 0: it is not stored.
    ///
    /// # Errors
    /// The variable of the operation is not a TTL, or cannot be read.
    pub async fn of(&self, entry: &Described) -> Result<Seconds, Problem> {
        let names = (entry.module.clone(), entry.operation.clone());
        let known = self.known.borrow().get(&names).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let variable = variable_name(&entry.module, &entry.operation);
        // Without an answer nothing is remembered: a default could store what must not be stored.
        let found = variables::find(&variable).await;
        let found = found.map_err(|error| problems::unreadable_variable(&variable, &error.to_string()))?;
        let seconds = match found {
            Some(text) => TTL_OR_NONE
                .parse(&text)
                .map_err(|detail| Problem::internal(format!("the variable {variable} {detail}")))?,
            None => self.table.find(&entry.module, &entry.operation).unwrap_or(DEFAULT_S),
        };
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(names, seconds);
        Ok(seconds)
    }
}

/// The variable that may have the TTL of an operation. Names of variables have small letters, digits and underscores.
fn variable_name(module: &str, operation: &str) -> String {
    format!("cache_ttl_{module}_{operation}").to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_row_counts() {
        let table: TtlTable = "*.create=0, posts.list = 60 ,posts.*=300,*.list=5,".parse().unwrap();
        for (module, operation, seconds) in [
            ("posts", "list", Some(60)),
            ("posts", "create", Some(300)),
            ("photos", "create", Some(0)),
            ("photos", "list", Some(5)),
            ("photos", "get", None),
            ("Posts", "get", None),
        ] {
            assert_eq!(table.find(module, operation), seconds, "{module}.{operation}");
        }
        let all: TtlTable = "*.*=7, a.b=1".parse().unwrap();
        assert_eq!((all.find("a", "b"), all.find("x", "y")), (Some(1), Some(7)));
        assert_eq!("".parse(), Ok(TtlTable::default()));
    }

    #[test]
    fn a_bad_table_is_refused() {
        for bad in [
            "posts",
            "posts=1",
            "posts.list",
            "posts.list=",
            "a.b=-1",
            "a.b=1.5",
            "a.b=2592001",
            "a b.c=1",
            "a.*b=1",
            "a.b=1,a.b=2",
            ".b=1",
            "a.=1",
            "a.b.c=1",
            "a.b=1;c.d=2",
        ] {
            assert_eq!(bad.parse::<TtlTable>(), Err(InvalidTtls), "{bad}");
        }
    }

    #[test]
    fn variables_have_small_letters() {
        assert_eq!(variable_name("my-Posts", "getById"), "cache_ttl_my_posts_getbyid");
    }
}
