//! Sellers: read by id, by user and in lists, as their owner sees them and as others do. The writers change the
//! profile, record sales and change the state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use blackbox::{ADMIN_ID, Api, Request, complete_seller};
use serde_json::{Value, json};

use super::{Client, Found, Remembered, Resource, View};

/// A user who is not the owner of any seller that is read.
const STRANGER: i64 = 900_002;

/// A seller.
#[derive(Clone, Debug)]
pub struct Seller {
    id: i64,
    user_id: i64,
    stays: bool,
    /// How many sales have been acknowledged.
    sales: Arc<AtomicU64>,
}

/// A way to read one seller.
#[derive(Clone, Copy, Debug)]
pub enum SellerView {
    /// By the id, with the private members.
    Private(i64),
    /// By the id, without them.
    Public(i64),
    /// By the user.
    OfUser(i64),
    /// As the caller's seller.
    Me(i64),
    /// The number of sales in the analytics.
    Sales(i64),
}

/// The keys in the history: a seller by its id, a seller by its user, and the number of sales of a seller, which each
/// sale increases and which is the only thing that the response to a sale tells.
fn by_id(id: i64) -> i64 {
    id * 4
}

fn by_user(user_id: i64) -> i64 {
    user_id * 4 + 1
}

fn sales_of(id: i64) -> i64 {
    id * 4 + 2
}

impl View for SellerView {
    fn key(self) -> i64 {
        match self {
            Self::Private(id) | Self::Public(id) => by_id(id),
            Self::OfUser(user_id) | Self::Me(user_id) => by_user(user_id),
            Self::Sales(id) => sales_of(id),
        }
    }

    fn request(self, api: &Api) -> Request {
        let admin = || api.with_jwt(ADMIN_ID, &["admin"]);
        match self {
            Self::Private(id) => admin().get(format!("/sellers/{id}")),
            Self::Public(id) => api.with_jwt(STRANGER, &["user"]).get(format!("/sellers/{id}")),
            Self::OfUser(user_id) => admin().get(format!("/sellers/user/{user_id}")),
            Self::Me(user_id) => api.with_jwt(user_id, &["user"]).get("/sellers/me"),
            Self::Sales(id) => admin().get(format!("/sellers/{id}/analytics/overview?period=all_time")),
        }
    }

    fn version(self, body: &Value) -> Option<u64> {
        match self {
            Self::Sales(_) => body["totalSales"].as_u64(),
            _ => body["version"].as_u64(),
        }
    }

    fn others(self, body: &Value) -> Vec<(i64, u64)> {
        match self {
            Self::Sales(_) => Vec::new(),
            _ => body["id"]
                .as_i64()
                .zip(body["totalSales"].as_u64())
                .map(|(id, sales)| (sales_of(id), sales))
                .into_iter()
                .collect(),
        }
    }
}

impl Seller {
    fn owner(&self, api: &Api) -> Api {
        api.with_jwt(self.user_id, &["user"])
    }

    fn path(&self, rest: &str) -> String {
        format!("/sellers/{}{rest}", self.id)
    }

    /// Sends a change of the seller that may be in the wrong state for it (409). Acknowledges what the response shows.
    async fn send(&self, client: &mut Client, what: &str, request: Request) -> Option<()> {
        let (status, _, seller) = client.send(request).await?;
        let end = client.now();
        client.expect(status, &[200, 409], what, &seller)?;
        let version = (status == 200).then(|| seller["version"].as_u64())??;
        self.acknowledge(client, version, end);
        Some(())
    }

    fn acknowledge(&self, client: &mut Client, version: u64, end: u64) {
        client.acknowledge(by_id(self.id), version, end);
        client.acknowledge(by_user(self.user_id), version, end);
        client.has_written();
    }

    async fn change_profile(&self, client: &mut Client) {
        let body = json!({"description": format!("text-{:x}", client.rng.u32(..))});
        let request = self.owner(&client.api).patch(self.path("/profile")).json(body);
        self.send(client, "profile", request).await;
    }

    async fn sell(&self, client: &mut Client) {
        let admin = client.api.as_admin();
        let request = admin.post(self.path("/sales")).json(json!({"amount": 0.1}));
        let Some((status, _, sale)) = client.send(request).await else { return };
        if client.expect(status, &[201], "sale", &sale).is_some() {
            // When this number is known, at least so many sales have been acknowledged.
            let count = self.sales.fetch_add(1, Ordering::SeqCst) + 1;
            client.acknowledge(sales_of(self.id), count, client.now());
            client.has_written();
        }
    }

    async fn act(&self, client: &mut Client, action: &str) {
        let sender = if action == "verify" { self.owner(&client.api) } else { client.api.as_admin() };
        let request = sender.post(self.path(&format!("/{action}")));
        let request = match action {
            "reject" | "suspend" => request.json(json!({"reason": "because"})),
            _ => request,
        };
        self.send(client, action, request).await;
    }
}

impl Resource for Seller {
    type View = SellerView;

    // The keys are those of `by_id`, `by_user` and `sales_of`. A user has one seller in this workload.
    const STORED: &'static str = "
        WITH states AS (SELECT *, CASE WHEN archived_at IS NULL THEN version::bigint END AS state FROM sellers)
        SELECT id * 4, state FROM states UNION ALL SELECT user_id * 4 + 1, state FROM states
        UNION ALL SELECT seller_id * 4 + 2, count(*) FROM seller_sales GROUP BY seller_id";

    async fn create(client: &mut Client, name: &str, stays: bool) -> Option<Self> {
        // A creation without a response may have happened, so no address is used twice.
        let email = format!("{name}-{:x}@example.org", client.rng.u64(..));
        let user = client.api.post("/users").json(json!({"name": name, "email": email}));
        let (status, _, user) = client.send(user).await?;
        client.expect(status, &[201], "POST /users", &user)?;
        let user_id = user["id"].as_i64()?;
        let owner = client.api.with_jwt(user_id, &["user"]);
        let (status, _, seller) = client.send(owner.post("/sellers").json(complete_seller(name))).await?;
        let end = client.now();
        client.expect(status, &[201], "POST /sellers", &seller)?;
        let created = Self { id: seller["id"].as_i64()?, user_id, stays, sales: Arc::default() };
        created.acknowledge(client, seller["version"].as_u64()?, end);
        if stays {
            // From this state it can be suspended and reactivated for ever.
            created.act(client, "verify").await;
            created.act(client, "approve").await;
        }
        Some(created)
    }

    async fn change(&self, client: &mut Client) {
        match client.rng.u8(..10) {
            0..4 => self.change_profile(client).await,
            // A seller with sales cannot be deleted.
            4..7 if self.stays => self.sell(client).await,
            number if self.stays => self.act(client, ["suspend", "reactivate"][usize::from(number) % 2]).await,
            number => self.act(client, ["verify", "approve", "reject"][usize::from(number) % 3]).await,
        }
    }

    async fn delete(&self, client: &mut Client) {
        let start = client.now();
        for key in [by_id(self.id), by_user(self.user_id)] {
            client.outcome.history.begin_deletion(key, start);
        }
        let request = client.api.as_admin().delete(self.path(""));
        let Some((status, _, body)) = client.send(request).await else { return };
        let end = client.now();
        if client.expect(status, &[204], "DELETE", &body).is_some() {
            for key in [by_id(self.id), by_user(self.user_id)] {
                client.outcome.history.acknowledge_deletion(key, end);
            }
            client.has_written();
        }
    }

    async fn look(
        client: &mut Client,
        known: &[Self],
        remembered: Option<Remembered<SellerView>>,
    ) -> Option<Remembered<SellerView>> {
        let one = &known[client.rng.usize(..known.len())];
        let last = &known[known.len() - 1];
        match (client.rng.u8(..20), remembered) {
            (0..2, _) => list(client, known).await,
            (2 | 3, _) => {
                // Not registered yet: this caches the absence, which the registration has to outdate.
                let ahead = client.rng.i64(1..3);
                let views = [
                    SellerView::Private(last.id + ahead),
                    SellerView::Public(last.id + ahead),
                    SellerView::OfUser(last.user_id + ahead),
                    SellerView::Me(last.user_id + ahead),
                ];
                let view = views[client.rng.usize(..views.len())];
                client.get(view, None).await;
                None
            }
            (4, _) if one.stays => client.get(SellerView::Sales(one.id), None).await,
            (5..8, Some(known)) => client.get(known.view, Some(known)).await,
            (number, _) => {
                let views = [
                    SellerView::Private(one.id),
                    SellerView::OfUser(one.user_id),
                    SellerView::Public(one.id),
                    SellerView::Me(one.user_id),
                ];
                client.get(views[usize::from(number) % views.len()], None).await
            }
        }
    }
}

async fn list(client: &mut Client, known: &[Seller]) -> Option<Remembered<SellerView>> {
    let sort = ["", "&sortBy=totalRevenue", "&sortOrder=asc"][client.rng.usize(..3)];
    let request = client.api.as_admin().get(format!("/sellers?limit=100{sort}"));
    let mut keys: Vec<i64> = known.iter().map(|seller| by_id(seller.id)).collect();
    keys.extend(known.iter().filter(|seller| seller.stays).map(|seller| sales_of(seller.id)));
    let found = |page: &Value| {
        let mut found = Vec::new();
        for seller in page["sellers"].as_array()? {
            let id = seller["id"].as_i64()?;
            found.push((by_id(id), seller["version"].as_u64()?));
            found.push((sales_of(id), seller["totalSales"].as_u64()?));
        }
        // Deletions that were killed leave sellers behind. More than a page cannot be judged.
        (page["total"].as_u64()? <= 100).then_some(Found { found, last: None })
    };
    client.list(request, &keys, found).await;
    None
}
