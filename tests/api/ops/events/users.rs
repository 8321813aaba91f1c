//! Events of users: each acknowledged write has one, after the commit, and nothing else has.

use blackbox::{App, Response, until};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{EVENTS, expect_cloud_event, expect_events, recorded, versions};

fn subject(user: &Value) -> String {
    format!("users/{}", user["id"])
}

#[tokio::test]
async fn each_write_is_an_event() {
    let app = App::spawn().await;
    let user = app.given_user("ada").await;
    let path = format!("/{}", subject(&user));
    app.put(&path).json(json!({"name": "Ada Lovelace"})).await.expect_ok();
    app.patch(&path).json(json!({"isActive": false})).await.expect_ok();
    app.delete(&path).await.expect_success();
    let one = |number: usize| json!({"name": "Somebody", "email": format!("{number}@example.org")});
    let batch = app.post("/users/batch").json(json!([one(1), one(2), one(3)])).await.json();
    let mut expected: Vec<_> =
        batch.as_array().unwrap().iter().map(|user| ("tumbler.user.created", subject(user))).collect();
    expected.extend(["created", "updated", "updated", "deleted"].map(|kind| match kind {
        "created" => ("tumbler.user.created", subject(&user)),
        "updated" => ("tumbler.user.updated", subject(&user)),
        _ => ("tumbler.user.deleted", subject(&user)),
    }));
    let events = expect_events(&app, &expected).await;
    let mut ids: Vec<_> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    for event in &events {
        expect_cloud_event(event, "/users");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "two events have the same id");
    assert_eq!(versions(&events, "tumbler.user.created"), [1, 1, 1, 1]);
    assert_eq!(versions(&events, "tumbler.user.updated"), [2, 3]);
    let id = user["id"].as_i64().unwrap();
    let row = app.db().await.query_one("SELECT version::bigint FROM users WHERE id = $1", &[&id]).await.unwrap();
    assert_eq!(versions(&events, "tumbler.user.deleted"), [row.get::<_, i64>(0)]);
}

#[tokio::test]
async fn events_carry_the_trace_of_their_request() {
    let app = App::spawn().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let body = json!({"name": "Ada", "email": "ada@example.org"});
    let created = app.post("/users").json(body).header("traceparent", format!("00-{trace}-b7ad6b7169203331-01")).await;
    let events = expect_events(&app, &[("tumbler.user.created", subject(&created.json()))]).await;
    let traceparent = events[0]["traceparent"].as_str().unwrap();
    assert!(traceparent.starts_with(&format!("00-{trace}-")) && traceparent.ends_with("-01"), "{traceparent}");
    assert_eq!(traceparent.len(), 55);
}

#[tokio::test]
async fn a_large_batch_loses_no_event() {
    let app = App::spawn().await;
    let one = |number: usize| json!({"name": "Somebody", "email": format!("{number}@example.org")});
    let batch = app.post("/users/batch").json(Value::Array((0..1000).map(one).collect())).await;
    assert_eq!(batch.status(), 201);
    let users = batch.json();
    let expected: Vec<_> =
        users.as_array().unwrap().iter().map(|user| ("tumbler.user.created", subject(user))).collect();
    expect_events(&app, &expected).await;
    assert_eq!(app.metrics().await.counter("tumbler_events_failed_total", &[]), 0);
}

#[tokio::test]
async fn refused_writes_are_no_events() {
    let app = App::spawn().await;
    let user = app.given_user("ada").await;
    let path = format!("/{}", subject(&user));
    let taken = json!({"name": "Eve", "email": "ADA@example.org"});
    let expect = |response: Response, status: u16| assert_eq!(response.status(), status, "{response:?}");
    expect(app.post("/users").json(&taken).await, 409);
    expect(app.post("/users").json(json!({"name": "E"})).await, 422);
    expect(app.post("/users").json_text("{").await, 400);
    expect(app.post("/users/batch").json(json!([{"name": "Eve", "email": "eve@example.org"}, taken])).await, 409);
    expect(app.patch(&path).json(json!({})).await, 422);
    expect(app.put(&path).header("if-match", "\"7\"").json(json!({"name": "Eve"})).await, 412);
    expect(app.delete(&path).header("if-match", "\"7\"").await, 412);
    expect(app.patch("/users/404404").json(json!({"name": "Eve"})).await, 404);
    expect(app.delete("/users/404404").await, 404);
    expect(app.get(&path).await, 200);
    expect_events(&app, &[("tumbler.user.created", subject(&user))]).await;
}

#[tokio::test]
async fn each_version_has_at_most_one_event() {
    let app = App::spawn().await;
    let user = app.given_user("ada").await;
    let path = format!("/{}", subject(&user));
    for body in [json!({"name": "ada"}), json!({"name": "Ada"}), json!({"name": "Ada"}), json!({"isActive": true})] {
        app.patch(&path).json(body).await.expect_ok();
    }
    // Whether a write that changes nothing has a version is up to the service: if it has none, it has no event.
    let version = app.get(&path).await.json()["version"].as_i64().unwrap();
    let mut expected = vec![("tumbler.user.created", subject(&user))];
    expected.extend((1..version).map(|_| ("tumbler.user.updated", subject(&user))));
    let events = expect_events(&app, &expected).await;
    assert_eq!(versions(&events, "tumbler.user.updated"), (2..=version).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_comes_after_the_commit() {
    let app = App::spawn().await;
    // Each commit of a user takes a while: an event that does not wait for it is there before the row.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql \
                AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$; \
                CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED \
                FOR EACH ROW EXECUTE FUNCTION slow()";
    let db = app.db().await;
    db.batch_execute(slow).await.unwrap();
    let mut channel = app.redis.client().get_async_pubsub().await.unwrap();
    channel.subscribe(EVENTS).await.unwrap();
    let mut published = channel.on_message();
    for name in ["ada", "bob", "eve"] {
        let creation = tokio::spawn(
            app.post("/users").json(json!({"name": name, "email": format!("{name}@x.org")})).into_future(),
        );
        let message = tokio::time::timeout(std::time::Duration::from_secs(90), published.next()).await;
        let event: Value = serde_json::from_slice(message.unwrap().unwrap().get_payload_bytes()).unwrap();
        let id: i64 = event["subject"].as_str().unwrap().trim_start_matches("users/").parse().unwrap();
        let rows = db.query("SELECT 1 FROM users WHERE id = $1", &[&id]).await.unwrap();
        assert_eq!(rows.len(), 1, "the event came before the commit: {event}");
        assert_eq!(creation.await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn events_have_no_personal_data() {
    let app = App::spawn().await;
    let body = json!({"name": "Planted Name", "email": "planted@example.org", "roles": ["planted-role"]});
    let user = app.post("/users").json(body).await.json();
    let path = format!("/{}", subject(&user));
    app.patch(&path).json(json!({"name": "Planted Other", "email": "planted.other@example.org"})).await.expect_ok();
    app.delete(&path).await.expect_success();
    until("all events are there", async || recorded(&app).await.len() >= 3).await;
    let text = json!(recorded(&app).await).to_string();
    assert!(!text.to_lowercase().contains("planted"), "{text}");
}
