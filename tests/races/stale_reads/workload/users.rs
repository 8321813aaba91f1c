//! Users: one is identified by its id, which is also its key in the history.

use blackbox::{Api, Request};
use serde_json::{Value, json};

use super::{Client, Found, Remembered, Resource, View};

/// How many users a page has.
const PAGE: usize = 100;

/// A user, by its id.
#[derive(Clone, Copy, Debug)]
pub struct User(i64);

impl View for User {
    fn key(self) -> i64 {
        self.0
    }

    fn request(self, api: &Api) -> Request {
        api.get(format!("/users/{}", self.0))
    }

    fn version(self, body: &Value) -> Option<u64> {
        body["version"].as_u64()
    }
}

impl Resource for User {
    type View = Self;

    const STORED: &'static str = "SELECT id, CASE WHEN archived_at IS NULL THEN version::bigint END FROM users";

    async fn create(client: &mut Client, name: &str, _: bool) -> Option<Self> {
        // A creation without a response may have happened, so no address is used twice.
        let email = format!("{name}-{:x}@example.org", client.rng.u64(..));
        let body = json!({"name": name, "email": email});
        let (status, _, user) = client.send(client.api.post("/users").json(body)).await?;
        client.expect(status, &[201], "POST", &user)?;
        let (id, version) = identity(&user)?;
        client.acknowledge(id, version, client.now());
        client.has_written();
        Some(Self(id))
    }

    async fn change(&self, client: &mut Client) {
        let body = json!({"name": format!("name-{:x}", client.rng.u32(..))});
        let request = client.api.put(format!("/users/{}", self.0)).json(body);
        let Some((status, _, user)) = client.send(request).await else { return };
        let end = client.now();
        client.expect(status, &[200], "PUT", &user);
        if let Some((id, version)) = identity(&user) {
            client.acknowledge(id, version, end);
            client.has_written();
        }
    }

    async fn delete(&self, client: &mut Client) {
        client.outcome.history.begin_deletion(self.0, client.now());
        let request = client.api.delete(format!("/users/{}", self.0));
        let Some((status, _, body)) = client.send(request).await else { return };
        let end = client.now();
        if client.expect(status, &[204], "DELETE", &body).is_some() {
            client.outcome.history.acknowledge_deletion(self.0, end);
            client.has_written();
        }
    }

    async fn look(
        client: &mut Client,
        known: &[Self],
        remembered: Option<Remembered<Self>>,
    ) -> Option<Remembered<Self>> {
        let ids: Vec<i64> = known.iter().map(|user| user.0).collect();
        let one = ids[client.rng.usize(..ids.len())];
        match (client.rng.u8(..20), remembered) {
            (0..3, _) => list(client, "", &ids).await,
            (3, _) => {
                let query: Vec<String> = ids.iter().map(i64::to_string).collect();
                list(client, &format!("?ids={}", query.join(",")), &ids).await
            }
            (4, _) => {
                // Not created yet: this caches the absence, which the creation has to outdate.
                let next = ids[ids.len() - 1] + client.rng.i64(1..3);
                client.get(Self(next), None).await;
                None
            }
            (5..8, Some(known)) => client.get(known.view, Some(known)).await,
            _ => client.get(Self(one), None).await,
        }
    }
}

async fn list(client: &mut Client, query: &str, ids: &[i64]) -> Option<Remembered<User>> {
    let found = |users: &Value| {
        let found: Vec<_> = users.as_array()?.iter().filter_map(identity).collect();
        // In the order of the ids: what comes after a full page cannot be judged.
        let last = found.last().filter(|_| found.len() >= PAGE).map(|(id, _)| *id);
        Some(Found { found, last })
    };
    client.list(client.api.get(format!("/users{query}")), ids, found).await;
    None
}

fn identity(user: &Value) -> Option<(i64, u64)> {
    Some((user["id"].as_i64()?, user["version"].as_u64()?))
}
