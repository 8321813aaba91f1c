//! `GET /users`: a page of the list, or some users by their ids; from the cache or the database.

use std::collections::HashMap;

use axum::response::{IntoResponse, Response};
use http_api::response::next_link;
use http_api::{ETag, Errors, FromQuery, Preconditions, Problem, Query, Shared, WholeNumber, query, row_id};
use spin_adapter::postgres::DatabaseError;
use versioned_cache::{CacheStatus, ReadResult, Source};

use crate::app::App;
use crate::cursor::decode_cursor;
use crate::page::{self, LIMIT_DEFAULT, PageQuery};
use crate::responses;
use crate::user::User;

/// Users on a page, and users selected by `ids`, at most.
const LIMIT_MAX: usize = 1_000;
const LIMIT: WholeNumber = WholeNumber::new(1, LIMIT_MAX as u64, "");

/// The query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListQuery {
    /// A page of the list.
    Page(PageQuery),
    /// These users: ascending ids, without duplicates.
    Ids(Vec<i64>),
}

impl FromQuery for ListQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let mut unknown = Errors::in_parameters();
        let [limit, cursor, is_active, email, ids] =
            query::read(query, ["limit", "cursor", "isActive", "email", "ids"], &mut unknown);
        let is_page = limit.is_some() || cursor.is_some() || is_active.is_some() || email.is_some();
        let limit = errors.optional("limit", limit, |text| LIMIT.parse(&text));
        let page = PageQuery {
            limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize),
            after: errors.optional("cursor", cursor, |text| {
                decode_cursor(&text).ok_or_else(|| "must be the cursor of a link to a next page".to_owned())
            }),
            is_active: errors
                .optional("isActive", is_active, |text| text.parse().map_err(|_| "must be true or false".to_owned())),
            email: errors.optional("email", email, |text| http_api::rules::email(text.to_ascii_lowercase())),
        };
        let ids = errors.optional("ids", ids, |text| parse_ids(&text));
        errors.append(unknown);
        if errors.is_empty() && ids.is_some() && is_page {
            errors.add("ids", "cannot be combined with other parameters");
        }
        Some(ids.map_or(Self::Page(page), Self::Ids))
    }
}

fn parse_ids(text: &str) -> Result<Vec<i64>, String> {
    let ids: Result<Vec<i64>, String> = text.split(',').map(row_id).collect();
    let mut ids = ids.map_err(|detail| format!("{detail}, or several of them separated by commas"))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > LIMIT_MAX {
        return Err(format!("must have at most {LIMIT_MAX} ids"));
    }
    Ok(ids)
}

/// Returns an array of users, with a link to the next page, or to the rest of the ids.
///
/// # Errors
/// Bad parameters, an `If-Match` that does not allow it, an unavailable database.
pub async fn list(
    app: Shared<App>,
    Query(query): Query<ListQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    match query {
        ListQuery::Page(query) => show_page(&app, &query, &conditions).await,
        ListQuery::Ids(ids) => show_many(&app, &ids, &conditions).await,
    }
}

/// Evaluates the conditions of `POST /users` against the tag of `GET /users`, because both have the same URL. The list
/// may change between this check and the INSERT.
///
/// # Errors
/// A condition that does not hold, an unavailable database.
pub async fn check(app: &Shared<App>, conditions: &Preconditions) -> Result<(), Problem> {
    if conditions.is_empty() {
        return Ok(());
    }
    let (json, _) = find_page(app, &PageQuery::default()).await?;
    conditions.check(Some(&ETag::of_bytes(&json)))
}

async fn show_page(app: &Shared<App>, query: &PageQuery, conditions: &Preconditions) -> Result<Response, Problem> {
    let (json, status) = find_page(app, query).await?;
    let link = page::next(&json, query).map(|next| [next_link(&next)]);
    Ok((link, responses::read(conditions, &ETag::of_bytes(&json), status, json)?).into_response())
}

/// The JSON of a page.
async fn find_page(app: &Shared<App>, query: &PageQuery) -> Result<(Vec<u8>, CacheStatus), Problem> {
    // After a hit it may run after the response, to check the hit. So it owns what it uses.
    let fetch = {
        let (app, query) = (app.clone(), query.clone());
        async move || Ok(Some(page::to_json(&app.store.page(&query).await?, query.limit)))
    };
    let found = app.pages.page(&query.canonical(), fetch).await.map_err(DatabaseError::into_problem)?;
    // A page always has a value, even if it is an empty array; this service does not store "absent" for one.
    Ok((found.value.unwrap_or_else(|| page::to_json(&[], query.limit)), found.status))
}

async fn show_many(app: &Shared<App>, ids: &[i64], conditions: &Preconditions) -> Result<Response, Problem> {
    let fetch = {
        let (app, ids) = (app.clone(), ids.to_vec());
        async move |missing: &[usize]| {
            let wanted = missing.iter().map(|&at| ids[at]);
            let found: HashMap<i64, User> =
                app.store.find_many(wanted.clone()).await?.into_iter().map(|user| (user.id, user)).collect();
            Ok(wanted.map(|id| found.get(&id).map(User::to_json)).collect())
        }
    };
    let found = app.many_users.find_many(ids, fetch).await.map_err(DatabaseError::into_problem)?;
    let users: Vec<_> = found.iter().map(|read| read.value.as_deref()).collect();
    let (json, rest) = page::selected(ids, &users);
    let link = page::rest_of(rest).map(|next| [next_link(&next)]);
    Ok((link, responses::read(conditions, &ETag::of_bytes(&json), summary(&found), json)?).into_response())
}

/// The parameters of one `Cache-Status` for several users: a hit if the database was not read.
fn summary(reads: &[ReadResult]) -> String {
    let hits = reads.iter().filter(|read| read.status.source == Source::Hit).count();
    match reads.iter().find(|read| read.status.source != Source::Hit) {
        None => "hit".to_owned(),
        Some(ReadResult { status: CacheStatus { source: Source::Bypass(reason), .. }, .. }) => {
            CacheStatus::bypass(*reason).to_string()
        }
        Some(_) => format!("fwd=miss; detail=\"{hits} of {} hit\"", reads.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use versioned_cache::{Bypass, Stored};

    fn page(query: &str) -> PageQuery {
        match ListQuery::from_query(query).expect(query) {
            ListQuery::Page(page) => page,
            ListQuery::Ids(ids) => panic!("{ids:?}"),
        }
    }

    fn wrong(query: &str) -> Vec<String> {
        let problem = ListQuery::from_query(query).expect_err(query);
        problem.wrong_fields().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn equal_pages_have_equal_canonical_queries() {
        for first in ["", "limit=100", "&"] {
            assert_eq!(page(first).canonical(), "", "{first}");
        }
        let cursor = crate::cursor::encode_cursor(7);
        let canonical = format!("limit=2&email=a%2Bb%40x.org&isActive=true&cursor={cursor}");
        let shuffled = format!("cursor={cursor}&isActive=true&email=A%2BB@X.org&limit=2");
        assert_eq!(page(&canonical).canonical(), canonical);
        assert_eq!(page(&shuffled).canonical(), canonical);
        assert_eq!(page(&canonical).after, Some(7));
    }

    #[test]
    fn ids_are_sorted_and_unique() {
        assert_eq!(ListQuery::from_query("ids=3,1,2,3"), Ok(ListQuery::Ids(vec![1, 2, 3])));
        let many = |count: i64| format!("ids={}", (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
        assert!(ListQuery::from_query(&many(1_000)).is_ok());
        assert_eq!(wrong(&many(1_001)), ["ids"]);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for ids in ["1,", "1,,2", "-1", "1, 2"] {
            assert_eq!(wrong(&format!("ids={ids}")), ["ids"]);
        }
        assert_eq!(wrong("cursor=abc&isActive=maybe&email=nobody&x=1"), ["cursor", "isActive", "email", "x"]);
    }

    #[test]
    fn a_batch_is_a_hit_when_all_of_it_is() {
        let read = |source| ReadResult { value: None, status: CacheStatus { source, ttl_s: None, key: None } };
        let (hit, miss) = (read(Source::Hit), read(Source::Miss(Stored::Yes)));
        assert_eq!(summary(&[hit.clone(), hit.clone()]), "hit");
        assert_eq!(summary(&[hit.clone(), miss, hit]), "fwd=miss; detail=\"2 of 3 hit\"");
        let bypass = read(Source::Bypass(Bypass::Disabled));
        assert_eq!(summary(&[bypass]), "fwd=bypass; detail=disabled");
    }
}
