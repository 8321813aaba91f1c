//! A page of the list as bytes that tell everything about it, since on a hit the bytes are all there is: a page that
//! has a next one ends in a line feed (insignificant white space in JSON).

use crate::list_query::PageQuery;
use crate::user::User;

/// The JSON array of a page. `users` are the page and, if there is one, the first user of the next page.
pub fn to_json(users: &[User], limit: usize) -> Vec<u8> {
    let mut json = array(users.iter().take(limit).map(User::to_json));
    if users.len() > limit {
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

/// The `Link` to the page after this one (RFC 8288), if there is one.
pub fn next_link(json: &[u8], query: &PageQuery) -> Option<String> {
    if !json.ends_with(b"\n") {
        return None;
    }
    let next = PageQuery { after: Some(last_id(json)?), ..query.clone() };
    Some(format!("</users?{}>; rel=\"next\"", next.canonical()))
}

/// The id of the last user. Its object starts at the last `{"id":`: inside a string the quotes would be escaped.
fn last_id(json: &[u8]) -> Option<i64> {
    const START: &[u8] = b"{\"id\":";
    let at = json.windows(START.len()).rposition(|window| window == START)?;
    let digits = &json[at + START.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor;

    fn user(id: i64, name: &str) -> User {
        let email = format!("u{id}@example.org");
        let (created_at, updated_at) = (0, 0);
        let roles = vec!["{\"id\":9".to_owned()];
        User {
            id,
            name: name.into(),
            email,
            roles,
            is_active: true,
            created_at,
            updated_at,
            archived_at: (),
            version: 1,
        }
    }

    #[test]
    fn a_page_with_a_next_one_links_to_it() {
        let users = [user(1, "a"), user(5, "{\"id\":7,"), user(8, "c")];
        let json = to_json(&users, 2);
        let parsed: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
        assert_eq!(parsed.len(), 2);
        let query = PageQuery { limit: 2, is_active: Some(true), ..PageQuery::default() };
        let link = format!("</users?limit=2&isActive=true&cursor={}>; rel=\"next\"", cursor::encode(5));
        assert_eq!(next_link(&json, &query), Some(link));
    }

    #[test]
    fn the_last_page_does_not() {
        for users in [&[][..], &[user(1, "a\n")], &[user(1, "a"), user(2, "b")]] {
            let json = to_json(users, 2);
            assert_eq!(next_link(&json, &PageQuery::default()), None);
            assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&json).unwrap().len(), users.len());
        }
    }
}
