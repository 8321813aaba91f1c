//! POST /api/cache/lock/extend.

use blackbox::App;

use super::{extend, now_ms};

#[tokio::test]
async fn an_extension_sets_the_end_to_the_millisecond() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    for ttl_ms in [60_001, 12_345, 3_600_000, 10_007] {
        let before = now_ms();
        let json = extend(&app, &grant, ttl_ms).await;
        let after = now_ms();
        let ends: u64 = app.redis.ask(&["PEXPIRETIME", &grant.key]).await;
        assert_eq!(json["extended"], true, "{json}");
        let promised = json["expiresAt"].as_u64().unwrap_or_else(|| panic!("{json}"));
        assert!((before + ttl_ms..=after + ttl_ms).contains(&promised), "{before} {promised} {after}, {ttl_ms}");
        assert!((promised..=after + ttl_ms).contains(&ends), "promised {promised}, Redis ends it at {ends}");
    }
}
