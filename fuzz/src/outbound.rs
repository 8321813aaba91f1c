//! The manifest, and where components may connect to.

use std::collections::HashMap;
use std::sync::LazyLock;

use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::manifest::{AllowedHosts, App, Source, resolve};
use crate::redis_address;

const START: &str = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[[trigger.http]]\nroute = \"/...\"\n\
                     component = \"a\"\n[component.a]\nsource = \"a.wasm\"\n";

fn app(text: &str) -> anyhow::Result<App> {
    resolve(&Source::new("spin.toml", text), &HashMap::new(), |_| None, &[])
}

/// An application has triggers, and a manifest that is refused has an error that names the file.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for text in [text, &format!("{START}{text}")] {
        match app(text) {
            Ok(app) => {
                assert!(!app.http_triggers.is_empty() || !app.redis_triggers.is_empty());
                assert!(app.redis_triggers.iter().all(|trigger| trigger.component < app.components.len()));
            }
            Err(error) => assert!(format!("{error:#}").contains("spin.toml"), "{error:#}"),
        }
    }
}

/// A component with one allowed host reaches no other one, whatever it writes into the address.
pub fn allowed_hosts(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let allowed = &*GOOD;
    let is_good = |host: &str| host.trim_end_matches('.').eq_ignore_ascii_case("good.example");
    if redis_address::is_allowed(allowed, text) {
        let info = text.into_connection_info().expect("it was allowed");
        assert!(matches!(info.addr(), ConnectionAddr::Tcp(host, 6379) if is_good(host)), "{:?}", info.addr());
    }
    if allowed.allows(text, "redis") {
        let url = url::Url::parse(text).ok().filter(url::Url::has_host);
        let url = url.or_else(|| url::Url::parse(&format!("redis://{text}")).ok()).expect("it was allowed");
        assert!(url.host_str().is_some_and(is_good), "{url}");
    }
    // An entry that is valid, and all entries that are not, do no harm. A JSON string is nearly always a TOML string.
    let entry = serde_json::Value::from(text).to_string();
    if let Ok(app) = app(&format!("{START}allowed_outbound_hosts = [{entry}]\n")) {
        app.components[0].allowed_hosts.allows("redis://other.example", "redis");
    }
}

static GOOD: LazyLock<AllowedHosts> = LazyLock::new(|| {
    let app = app(&format!("{START}allowed_outbound_hosts = [\"redis://good.example:6379\"]\n"));
    app.expect("the manifest is valid").components[0].allowed_hosts.clone()
});
