//! Wrong manifests, each with the place that the error must name; and what correct ones become.

use std::collections::HashMap;

use super::super::app::Target;
use super::{App, Source};

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"a\"\n";
const TRIGGER: &str = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n";
const COMPONENT: &str = "[component.one]\nsource = \"one.wasm\"\n";

fn resolve(text: &str, given: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<App, String> {
    let given: HashMap<String, String> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let lookup = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    super::resolve(&Source::new("app/spin.toml", text), &given, lookup, &[]).map_err(|error| format!("{error:#}"))
}

/// A correct manifest with `part` at its end: the error must name the line `line` of `part`, and contain `message`.
#[track_caller]
fn assert_refused(part: &str, line: usize, message: &str) {
    let before = format!("{HEAD}{TRIGGER}{COMPONENT}");
    let error = resolve(&format!("{before}{part}"), &[], &[]).expect_err("refused");
    let place = format!("app/spin.toml:{}:", before.lines().count() + line);
    assert!(error.starts_with(&place), "{error}");
    assert!(error.contains(message), "{error}");
}

#[test]
fn a_whole_manifest_becomes_an_application() {
    let text = format!(
        "{HEAD}version = \"1\"\n[variables]\nhost = {{ default = \"db.example\" }}\n{TRIGGER}{COMPONENT}\
         description = \"The one\"\nenvironment = {{ A = \"b\" }}\n\
         allowed_outbound_hosts = [\"redis://{{{{ host }}}}\", \"http://*.spin.internal\"]\n\
         [component.one.variables]\nurl = \"redis://{{{{ host }}}}:1\"\n\
         [component.one.build]\ncommand = \"make\"\n[component.one.tool.x]\ny = 1\n"
    );
    let app = resolve(&text, &[], &[]).expect("valid");
    let one = &app.components[0];
    assert_eq!((app.name.as_str(), app.version.as_str(), one.id.as_str()), ("a", "1", "one"));
    assert_eq!(one.source.to_str(), Some("app/one.wasm"));
    assert_eq!(one.variables["url"], "redis://db.example:1");
    assert_eq!(one.environment, [("A".to_owned(), "b".to_owned())]);
    assert!(one.allowed_hosts.allows("redis://db.example:6379", "redis"));
    assert!(one.allowed_hosts.allows("http://one.spin.internal/", "http"));
    assert!(!one.allowed_hosts.allows("http://two.spin.internal/", "http"));
    assert!(matches!(app.http_triggers[0].target, Target::Component(0)));
}

#[test]
fn values_come_from_the_command_line_then_the_environment_then_the_default() {
    let text = format!(
        "{HEAD}[variables]\nx = {{ default = \"default\" }}\n{TRIGGER}{COMPONENT}variables = {{ x = \"{{{{ x }}}}\" }}\n"
    );
    let value = |given: &[(&str, &str)], environment: &[(&str, &str)]| {
        resolve(&text, given, environment).expect("valid").components[0].variables["x"].clone()
    };
    assert_eq!(value(&[], &[]), "default");
    assert_eq!(value(&[], &[("SPIN_VARIABLE_X", "environment")]), "environment");
    assert_eq!(value(&[("x", "line")], &[("SPIN_VARIABLE_X", "environment")]), "line");
}

#[test]
fn every_missing_required_variable_is_named() {
    let text = format!(
        "{HEAD}[variables]\none = {{ required = true }}\ntwo = {{ required = true, secret = true }}\n{TRIGGER}{COMPONENT}"
    );
    let error = resolve(&text, &[], &[]).expect_err("refused");
    assert!(error.starts_with("app/spin.toml:5:1: "), "{error}");
    assert!(error.contains("one, two") && error.contains("SPIN_VARIABLE_ONE"), "{error}");
    assert!(resolve(&text, &[("one", "1"), ("two", "2")], &[]).is_ok());
}

#[test]
fn mistakes_are_refused_with_their_line() {
    assert_refused("sauce = 1\n", 1, "unknown field `sauce`");
    assert_refused("source = 1\n", 1, "duplicate key");
    assert_refused("[component.two]\n", 1, "missing field `source`");
    assert_refused("[[trigger.cron]]\ncomponent = \"one\"\n", 1, "unknown field `cron`");
    assert_refused("[[trigger.http]]\nroute = \"/x\"\ncomponent = \"two\"\n", 3, "there is no [component.two]");
    assert_refused("[[trigger.http]]\nroute = \"/x\"\n", 1, "either `component` or `static_response`");
    assert_refused("[[trigger.http]]\nroute = { private = false }\ncomponent = \"one\"\n", 2, "private = true");
    assert_refused("[component.a_b]\nsource = \"x\"\n", 1, "component id \"a_b\"");
    assert_refused("variables = { A = \"x\" }\n", 1, "invalid character 'A'");
    assert_refused("variables = { a = \"{{ b }}\" }\n", 1, "unknown variable \"b\"");
    assert_refused("variables = { a = \"{{ b\" }\n", 1, "unmatched '{{'");
    assert_refused("allowed_outbound_hosts = [\n\"http://a.example\",\n\"b.example\"\n]\n", 3, "\"b.example\" is not");
    assert_refused("[variables]\nx = {}\n", 2, "either `default` or `required = true`");
}

#[test]
fn redis_triggers_have_an_address_of_their_own_or_that_of_the_application() {
    let text = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[variables]\nhost = { default = \"db.example\" }\n\
                [application.trigger.redis]\naddress = \"redis://{{ host }}\"\n\
                [[trigger.redis]]\nchannel = \"for-{{ host }}\"\ncomponent = \"one\"\n\
                [[trigger.redis]]\nchannel = \"x\"\naddress = \"rediss://u:p@other.example:7000/3\"\ncomponent = \"one\"\n";
    let app = resolve(&format!("{text}{COMPONENT}"), &[], &[]).expect("valid without an HTTP trigger");
    let triggers: Vec<_> = app
        .redis_triggers
        .iter()
        .map(|trigger| (trigger.server.addr().to_string(), trigger.channel.as_str(), trigger.component))
        .collect();
    let expected = [("db.example:6379".to_owned(), "for-db.example", 0), ("other.example:7000".to_owned(), "x", 0)];
    assert_eq!(triggers, expected);
    assert_eq!(app.redis_triggers[1].server.redis_settings().db(), 3);
    let callers = app.callers(0);
    assert!(callers.redis && !callers.http);
}

#[test]
fn mistakes_in_redis_triggers_are_refused_with_their_line() {
    let trigger = |rest: &str| format!("[[trigger.redis]]\nchannel = \"x\"\n{rest}\n");
    assert_refused(&trigger("component = \"one\""), 1, "needs an `address`");
    let address = "address = \"redis://a.example\"\n";
    assert_refused(&trigger(&format!("{address}component = \"two\"")), 4, "there is no [component.two]");
    assert_refused(&trigger(&format!("{address}component = \"one\"\nkind = 1")), 5, "unknown field `kind`");
    assert_refused(&trigger(address), 1, "missing field `component`");
    assert_refused(&trigger("address = \"redis://{{ nobody }}\"\ncomponent = \"one\""), 3, "unknown variable");
    let secret = trigger("address = \"http://u:secret@a.example\"\ncomponent = \"one\"");
    assert_refused(&secret, 3, "the address is not valid");
    let error = resolve(&format!("{HEAD}{secret}{COMPONENT}"), &[], &[]).expect_err("refused");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn unsupported_settings_are_refused_by_name() {
    for field in ["files", "exclude_files", "key_value_stores", "sqlite_databases", "ai_models"] {
        assert_refused(&format!("{field} = [\"x\"]\n"), 1, &format!("`{field}` is not supported"));
    }
    assert_refused("dependencies = { x = \"1\" }\n", 1, "`dependencies` is not supported");
    assert_refused("[component.two]\nsource = { url = \"x\", digest = \"y\" }\n", 2, "only a file");
    let wagi = "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"one\"\nexecutor = { type = \"wagi\" }\n";
    assert_refused(wagi, 4, "executor");
    let inline = "[[trigger.http]]\nroute = \"/x\"\ncomponent = { source = \"x\" }\n";
    assert_refused(inline, 3, "within its trigger");
}

#[test]
fn other_versions_and_empty_applications_are_refused() {
    let old = format!("{HEAD}{TRIGGER}{COMPONENT}").replace("version = 2", "version = 1");
    assert!(resolve(&old, &[], &[]).expect_err("refused").starts_with("app/spin.toml:1:25: only"));
    assert!(resolve(HEAD, &[], &[]).expect_err("refused").contains("no triggers"));
    assert!(resolve("spin_manifest_version = ", &[], &[]).expect_err("refused").starts_with("app/spin.toml:1:"));
}
