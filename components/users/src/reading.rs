//! `GET /users` and `GET /users/:id`, cache first.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use spin_adapter::http::Failure;
use versioned_cache::{CacheStatus, ReadResult, Source};

use crate::app::App;
use crate::entity_tag::EntityTag;
use crate::list_query::{ListQuery, PageQuery};
use crate::user::User;
use crate::{answers, failures, page};

/// `GET /users/:id`.
///
/// # Errors
/// No such user, no database.
pub async fn show(app: &App, id: i64, headers: &HeaderMap) -> Result<Response, Failure> {
    let find = async || Ok(app.store.find(id).await?.map(|user| user.to_json()));
    let answer = app.users.find(id, find).await.map_err(failures::database)?;
    let status = answer.status.to_string();
    let Some(json) = answer.value else {
        let (name, value) = answers::cache_status(&status);
        return Err(failures::no_such_user(id).with_field(name, value));
    };
    let tag = EntityTag::of_user(&json).unwrap_or_else(|| EntityTag::of_bytes(&json));
    Ok(answers::read(headers, &tag, &status, json))
}

/// `GET /users`.
///
/// # Errors
/// Bad parameters, no database.
pub async fn list(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response, Failure> {
    match ListQuery::parse(uri.query().unwrap_or_default())? {
        ListQuery::Page(query) => show_page(app, &query, headers).await,
        ListQuery::Ids(ids) => show_many(app, &ids, headers).await,
    }
}

async fn show_page(app: &App, query: &PageQuery, headers: &HeaderMap) -> Result<Response, Failure> {
    let fetch = async || Ok(Some(page::to_json(&app.store.page(query).await?, query.limit)));
    let answer = app.users.list(&query.canonical(), fetch).await.map_err(failures::database)?;
    // A page always has a value; an empty entry would be somebody else's.
    let json = answer.value.unwrap_or_else(|| page::to_json(&[], query.limit));
    let link = page::next_link(&json, query);
    let tag = EntityTag::of_bytes(&json);
    let mut response = answers::read(headers, &tag, &answer.status.to_string(), json);
    if let Some(link) = link {
        let link = HeaderValue::try_from(link).expect("form-urlencoded text is a field value");
        response.headers_mut().insert(axum::http::header::LINK, link);
    }
    Ok(response)
}

async fn show_many(app: &App, ids: &[i64], headers: &HeaderMap) -> Result<Response, Failure> {
    let fetch = async |missing: &[usize]| {
        let wanted = missing.iter().map(|&at| ids[at]);
        let found: HashMap<i64, User> =
            app.store.find_many(wanted.clone()).await?.into_iter().map(|user| (user.id, user)).collect();
        Ok(wanted.map(|id| found.get(&id).map(User::to_json)).collect())
    };
    let answers = app.users.find_many(ids, fetch).await.map_err(failures::database)?;
    let status = summary(&answers);
    let json = page::array(answers.iter().filter_map(|answer| answer.value.as_deref()));
    Ok(answers::read(headers, &EntityTag::of_bytes(&json), &status, json))
}

/// One `Cache-Status` for a batch: a hit when nothing had to be asked of the database.
fn summary(answers: &[ReadResult]) -> String {
    let hits = answers.iter().filter(|answer| answer.status.source == Source::Hit).count();
    match answers.iter().find(|answer| answer.status.source != Source::Hit) {
        None => "tumbler; hit".to_owned(),
        Some(ReadResult { status: CacheStatus { source: Source::Bypass(reason), .. }, .. }) => {
            CacheStatus::bypass(*reason).to_string()
        }
        Some(_) => format!("tumbler; fwd=miss; detail=\"{hits} of {} hit\"", answers.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use versioned_cache::{Bypass, Stored};

    #[test]
    fn a_batch_is_a_hit_when_all_of_it_is() {
        let answer = |source| ReadResult { value: None, status: CacheStatus { source, ttl_s: None, key: None } };
        let (hit, miss) = (answer(Source::Hit), answer(Source::Miss(Stored::Yes)));
        assert_eq!(summary(&[hit.clone(), hit.clone()]), "tumbler; hit");
        assert_eq!(summary(&[hit.clone(), miss, hit]), "tumbler; fwd=miss; detail=\"2 of 3 hit\"");
        let bypass = answer(Source::Bypass(Bypass::Disabled));
        assert_eq!(summary(&[bypass]), "tumbler; fwd=bypass; detail=disabled");
    }
}
