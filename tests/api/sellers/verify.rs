//! A cache that checks itself: a seller that is changed directly in PostgreSQL is found and healed, in every entry.

use blackbox::{App, until};

#[tokio::test]
async fn every_entry_of_a_seller_is_checked() {
    let app = App::builder().variable("cache_verify_ratio", "1").spawn().await;
    let seller = app.given_seller("ada").await;
    let stranger = app.with_jwt(seller.user_id + 1, &["user"]);
    let db = app.db().await;
    let own = seller.path("");
    for (client, form) in [(&seller.owner, "private"), (&stranger, "public")] {
        until("it is cached", async || client.get(&own).await.is_hit()).await;
        let name = format!("changed in the {form} form");
        db.execute("UPDATE sellers SET business_name = $1 WHERE id = $2", &[&name, &seller.id]).await.unwrap();
        until(&format!("the {form} form is healed"), async || {
            client.get(&own).await.expect_ok()["businessName"] == name.as_str()
        })
        .await;
    }
    let stats = async || app.admin().get("/admin/cache/stats").await.expect_ok();
    let counted = async |operation: &str, counter: &str| {
        let stats = stats().await;
        stats["modules"]["sellers"]["operations"][operation][counter].as_u64().unwrap_or(0)
    };
    assert!(counted("getById", "stale").await >= 2);

    // The entries that map ids: the seller is archived directly, and a new one takes its place.
    until("both are verified", async || {
        seller.owner.get("/sellers/me").await.expect_ok();
        counted("getByUserId", "verified").await > 0
    })
    .await;
    db.execute("UPDATE sellers SET archived_at = now() WHERE id = $1", &[&seller.id]).await.unwrap();
    until("/sellers/me is healed", async || {
        let response = seller.owner.get("/sellers/me").await;
        response.status() == 404 && counted("getByUserId", "stale").await > 0
    })
    .await;
}

/// An instance keeps the owners that it has seen, so only a new instance reads the entry.
#[tokio::test]
async fn the_entry_of_the_owner_is_checked() {
    let app = App::builder().variable("cache_verify_ratio", "1").instance_per_request().spawn().await;
    let seller = app.given_seller("ada").await;
    until("the owner is verified", async || {
        seller.show().await;
        let stats = app.admin().get("/admin/cache/stats").await.expect_ok();
        stats["modules"]["sellers"]["operations"]["getOwner"]["verified"].as_u64() > Some(0)
    })
    .await;
}
