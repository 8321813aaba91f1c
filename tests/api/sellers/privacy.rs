//! The private members: only the owner and administrators see them, and no cache entry that others read has them.

use blackbox::{Api, App, Seller};
use serde_json::{Value, json};

use super::PRIVATE;

const ACCOUNT: &str = "DE00123456789";
const SECRETS: [&str; 5] = ["TAX-123-456", "First Bank", "A Holder", ACCOUNT, "021000021"];

/// Clients that see the private members of `seller`, and clients that do not.
async fn clients(app: &App, seller: &Seller) -> (Vec<Api>, Vec<Api>) {
    let other = app.given_user_id("other").await;
    let rival = app.given_seller("rival").await;
    let all = vec![seller.owner.clone(), seller.admin.clone(), app.with_jwt(7, &["super_admin"])];
    (all, vec![app.with_jwt(other, &["user"]), app.with_jwt(other, &[]), rival.owner])
}

#[tokio::test]
async fn others_get_a_seller_without_private_members_and_with_another_entity_tag() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let (insiders, outsiders) = clients(&app, &seller).await;
    let expected: Value = seller.show().await;
    assert!(PRIVATE.iter().all(|member| expected.get(member).is_some()), "{expected}");
    let mut public = expected.clone();
    PRIVATE.iter().for_each(|member| drop(public.as_object_mut().unwrap().remove(*member)));
    // In turns and twice: no client gets what another one put into the cache.
    for _ in 0..2 {
        for (insider, outsider) in insiders.iter().zip(&outsiders) {
            let full = insider.get(seller.path("")).await;
            let part = outsider.get(seller.path("")).await;
            assert_eq!(full.expect_ok(), expected);
            assert_eq!(part.expect_ok(), public);
            assert!(SECRETS.iter().all(|secret| !part.text().contains(secret)), "{part:?}");
            assert_ne!(full.header("etag"), part.header("etag"));
            // An entity tag of one form is not valid for the other.
            let crossed = outsider.get(seller.path("")).header("if-none-match", full.header("etag")).await;
            assert_eq!((crossed.status(), crossed.json()), (200, public.clone()));
            let crossed = insider.get(seller.path("")).header("if-none-match", part.header("etag")).await;
            assert_eq!((crossed.status(), crossed.json()), (200, expected.clone()));
        }
    }
}

#[tokio::test]
async fn no_cache_entry_that_others_read_has_private_members() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let (insiders, outsiders) = clients(&app, &seller).await;
    for client in insiders.iter().chain(&outsiders) {
        client.get(seller.path("")).await.expect_ok();
    }
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    for client in &outsiders {
        let hit = client.get(seller.path("")).await;
        assert!(hit.is_hit(), "{hit:?}");
    }
    let commands = monitor.commands().await;
    let mut read: Vec<String> =
        commands.into_iter().filter(|one| one.name == "MGET").flat_map(|one| one.args).collect();
    read.sort();
    read.dedup();
    assert!(!read.is_empty(), "a hit reads keys");
    for key in &read {
        let Some(entry) = app.redis.ask::<Option<String>>(&["GET", key]).await else { continue };
        for secret in SECRETS {
            assert!(!entry.contains(secret), "{key} has {secret}: {entry}");
        }
    }
    // The control: the entry of the owner has the number, so the search would find it.
    let full = seller.owner.get(seller.path("")).await;
    let key = full.cache_parameter("key").unwrap().trim_matches('"').to_owned();
    assert!(full.is_hit() && !read.contains(&key), "{key}: {read:?}");
    assert!(app.redis.ask::<String>(&["GET", &key]).await.contains(ACCOUNT), "{key}");
}

#[tokio::test]
async fn lists_mask_account_numbers() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (number, shown) in [(ACCOUNT, "****6789"), ("12345", "****2345")] {
        let change = json!({"bankAccountNumber": number});
        assert_eq!(seller.owner.patch(seller.path("/banking")).json(change).await.status(), 200);
        for path in ["/sellers", "/sellers?search=ada", "/sellers?include=user"] {
            for _ in 0..2 {
                let page = seller.admin.get(path).await;
                assert_eq!(page.expect_ok()["sellers"][0]["bankAccountNumber"], shown, "{path}");
                assert!(!page.text().contains(number), "{path}: {page:?}");
            }
        }
        assert_eq!(seller.show().await["bankAccountNumber"], number, "the owner sees all of it");
    }
    seller.given(&["verify"]).await;
    let page = seller.admin.get("/sellers/pending-verification").await;
    assert_eq!(page.expect_ok()["sellers"][0]["bankAccountNumber"], "****2345");
    // A number of at most four characters is not shown in full.
    for short in ["1", "1234"] {
        let change = json!({"bankAccountNumber": short});
        assert_eq!(seller.owner.patch(seller.path("/banking")).json(change).await.status(), 200);
        let shown = seller.admin.get("/sellers").await.expect_ok()["sellers"][0]["bankAccountNumber"].clone();
        assert!(shown.as_str().is_some_and(|shown| shown.starts_with("****")), "{shown}");
    }
}
