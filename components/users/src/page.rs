//! A page of the list: its query string and its JSON. A cache hit gives only the JSON, so a page that has a next one
//! ends in a line feed (insignificant white space in JSON). Users that are selected by ids end in one, too, if there is
//! a link to the rest: so responses with different links have different entity tags.

use http_api::query;
use http_api::response::fitting;

use crate::cursor::encode_cursor;
use crate::user::User;

/// Users on a page if the request has no limit. A user has at most about 10 KB, so a page of this many users always
/// fits into [`PAGE_MAX_BYTES`](http_api::response::PAGE_MAX_BYTES).
pub const LIMIT_DEFAULT: usize = 100;

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Users on the page, at most.
    pub limit: usize,
    /// The page starts after this id.
    pub after: Option<i64>,
    /// Only the user with this address, in lower case.
    pub email: Option<String>,
    /// Only active users, or only inactive ones.
    pub is_active: Option<bool>,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: LIMIT_DEFAULT, after: None, email: None, is_active: None }
    }
}

impl PageQuery {
    /// The query string in canonical form: all requests for the same page have the same text. For the first page
    /// without filters it is empty. It is part of the cache key and of the link to the next page.
    pub fn canonical(&self) -> String {
        query::write([
            ("limit", Some(self.limit).filter(|limit| *limit != LIMIT_DEFAULT).map(|limit| limit.to_string())),
            ("email", self.email.clone()),
            ("isActive", self.is_active.map(|is_active| is_active.to_string())),
            ("cursor", self.after.map(encode_cursor)),
        ])
    }
}

/// The bytes of a page besides the users and the commas.
const AROUND: usize = "[]\n".len();

/// The JSON array of a page. `users` is the page and, if there is one, the first user of the next page. A page that
/// would be too large ends earlier.
pub fn to_json(users: &[User], limit: usize) -> Vec<u8> {
    let page: Vec<_> = fitting(AROUND, users.iter().take(limit).map(User::to_json), Vec::len).collect();
    part(&page, users.len() > page.len())
}

/// The JSON array of those of `ids` that exist, and the ids that are left out because the array would be too large.
/// `users` has the JSON of each id, if it exists.
pub fn selected<'a>(ids: &'a [i64], users: &[Option<&[u8]>]) -> (Vec<u8>, &'a [i64]) {
    let mut found = ids.iter().zip(users).filter_map(|(id, user)| Some((*id, (*user)?)));
    let shown: Vec<_> = fitting(AROUND, found.clone().map(|(_, user)| user), |user| user.len()).collect();
    let rest = found.nth(shown.len()).map_or(ids.len(), |(next, _)| ids.partition_point(|id| *id < next));
    (part(&shown, rest < ids.len()), &ids[rest..])
}

fn part(users: &[impl AsRef<[u8]>], has_next: bool) -> Vec<u8> {
    let mut json = array(users.iter());
    if has_next {
        json.push(b'\n');
    }
    json
}

/// A JSON array of elements that are JSON already.
pub fn array(elements: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut json = vec![b'['];
    for (at, element) in elements.enumerate() {
        if at > 0 {
            json.push(b',');
        }
        json.extend_from_slice(element.as_ref());
    }
    json.push(b']');
    json
}

/// The path and query of the users that [`selected`] has left out.
pub fn rest_of(ids: &[i64]) -> Option<String> {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    (!ids.is_empty()).then(|| format!("/users?ids={}", ids.join(",")))
}

/// The path and query of the page after this one, if there is one.
pub fn next(json: &[u8], query: &PageQuery) -> Option<String> {
    if !json.ends_with(b"\n") {
        return None;
    }
    let next = PageQuery { after: Some(last_id(json)?), ..query.clone() };
    Some(format!("/users?{}", next.canonical()))
}

/// The id of the last user. Its object starts at the last `{"id":`: in a string the quotes would be escaped.
fn last_id(json: &[u8]) -> Option<i64> {
    const START: &[u8] = b"{\"id\":";
    let at = json.windows(START.len()).rposition(|window| window == START)?;
    let digits = &json[at + START.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http_api::response::PAGE_MAX_BYTES;

    use super::*;

    fn user(id: i64, name: &str) -> User {
        let name = name.to_owned();
        let (email, roles) = (format!("u{id}@example.org"), vec!["{\"id\":9".to_owned()]);
        User { id, name, email, roles, is_active: true, created_at: 0, updated_at: 0, archived_at: (), version: 1 }
    }

    #[test]
    fn a_page_with_a_next_one_links_to_it() {
        let users = [user(1, "a"), user(5, "{\"id\":7,"), user(8, "c")];
        let json = to_json(&users, 2);
        let parsed: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
        assert_eq!(parsed.len(), 2);
        let query = PageQuery { limit: 2, is_active: Some(true), ..PageQuery::default() };
        let link = format!("/users?limit=2&isActive=true&cursor={}", encode_cursor(5));
        assert_eq!(next(&json, &query), Some(link));
    }

    #[test]
    fn a_page_of_too_many_bytes_ends_earlier() {
        let large: Vec<User> = (1..=200).map(|id| user(id, &"\u{10348}".repeat(255).repeat(9))).collect();
        let json = to_json(&large, 150);
        assert!(json.len() <= PAGE_MAX_BYTES && json.len() + large[0].to_json().len() + 2 > PAGE_MAX_BYTES);
        let shown = serde_json::from_slice::<Vec<serde_json::Value>>(&json).unwrap().len();
        let link = next(&json, &PageQuery { limit: 150, ..PageQuery::default() });
        assert_eq!(link, Some(format!("/users?limit=150&cursor={}", encode_cursor(shown as i64))));
        assert_eq!(next(&to_json(&large[..shown], 150), &PageQuery::default()), None, "a page that just fits");
        let huge = [user(1, &"x".repeat(PAGE_MAX_BYTES)), user(2, "b")];
        assert!(to_json(&huge, 2).ends_with(b"}]\n"), "at least one user");
    }

    #[test]
    fn selected_users_of_too_many_bytes_are_in_parts() {
        let large = user(1, &"x".repeat(PAGE_MAX_BYTES / 3)).to_json();
        let ids: Vec<i64> = (1..=9).collect();
        let exists = |id: &i64| (![1, 4, 9].contains(id)).then_some(large.as_slice());
        let all: Vec<_> = ids.iter().map(exists).collect();
        let (json, rest) = selected(&ids, &all);
        assert!(json.len() <= PAGE_MAX_BYTES && json.ends_with(b"]\n"));
        assert_eq!((rest, rest_of(rest).as_deref()), (&[5, 6, 7, 8, 9][..], Some("/users?ids=5,6,7,8,9")));
        assert_eq!(selected(&ids[4..], &all[4..]).1, [7, 8, 9]);
        assert_eq!(selected(&ids[6..], &all[6..]), (array([&large, &large].into_iter()), &[][..]));
        assert_eq!((selected(&[9], &[None]), rest_of(&[])), ((b"[]".to_vec(), &[][..]), None));
    }

    #[test]
    fn the_last_page_does_not() {
        for users in [&[][..], &[user(1, "a\n")], &[user(1, "a"), user(2, "b")]] {
            let json = to_json(users, 2);
            assert_eq!(next(&json, &PageQuery::default()), None);
            assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&json).unwrap().len(), users.len());
        }
    }
}
