//! The wasmtime engine, and the application's components compiled for it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use wasmtime::component::{Component as WasmComponent, Linker};
use wasmtime::{Config, Engine};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::precompiled::Folder;
use super::profile::Profile;
use super::state::InstanceState;
use crate::interfaces::{self, SubscriberPre};
use crate::manifest::{App, Callers, Component};

/// How often a component that computes without waiting is interrupted, so that others on its thread can run.
pub const TICK: Duration = Duration::from_millis(10);

/// A compiled component with the exports that its triggers call, checked and ready to be instantiated.
pub struct Compiled {
    /// With `wasi:http/handler`, for HTTP triggers and other components. None if only Redis triggers call it.
    pub http: Option<ServicePre<InstanceState>>,
    /// With `spin:redis/inbound-redis`, for Redis triggers. None if there are none for it.
    pub redis: Option<SubscriberPre<InstanceState>>,
}

/// Makes the engine and starts the thread that counts its ticks. `profile`: what to record about components.
pub fn engine(profile: Option<Profile>) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    if let Some(profile) = profile {
        profile.configure(&mut config)?;
    }
    let engine = Engine::new(&config).map_err(anyhow::Error::from).context("cannot configure wasmtime")?;
    let ticking = engine.weak();
    std::thread::Builder::new().name("ticks".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            let Some(engine) = ticking.upgrade() else { break };
            engine.increment_epoch();
        }
    })?;
    Ok(engine)
}

/// Compiles all components of `app`, or loads what was compiled before. Errors name the component: a missing file, a
/// file that is no component, an import that this host does not offer, no export that its triggers call.
pub fn compile(engine: &Engine, app: &App) -> Result<Vec<Compiled>> {
    let linker = linker(engine).context("cannot link the host's interfaces")?;
    let folder = Folder::of_user().inspect_err(|error| {
        eprintln!("warning: no folder for compiled components, so each start compiles all of them: {error:#}");
    });
    let folder = folder.ok();
    let compile = |(index, component): (usize, &Component)| {
        compile_one(engine, &linker, component, app.callers(index), folder.as_ref())
            .with_context(|| format!("{}: component {:?}", component.place, component.id))
    };
    app.components.iter().enumerate().map(compile).collect()
}

fn linker(engine: &Engine) -> Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    interfaces::add_to_linker(&mut linker, |state: &mut InstanceState| &mut state.spin)?;
    Ok(linker)
}

fn compile_one(
    engine: &Engine,
    linker: &Linker<InstanceState>,
    component: &Component,
    callers: Callers,
    folder: Option<&Folder>,
) -> Result<Compiled> {
    let file = component.source.display();
    if !component.source.is_file() {
        bail!("there is no file {file}: build the component first");
    }
    let wasm = std::fs::read(&component.source).with_context(|| format!("cannot read {file}"))?;
    let compiled = match folder {
        Some(folder) => folder.component(engine, &wasm),
        None => WasmComponent::new(engine, &wasm),
    };
    let compiled = compiled.map_err(anyhow::Error::from).with_context(|| format!("cannot compile {file}"))?;
    let linked = linker.instantiate_pre(&compiled).map_err(anyhow::Error::from);
    let linked = linked.with_context(|| format!("{file} imports something that this host does not offer"))?;
    let service = || ServicePre::new(linked.clone()).map_err(anyhow::Error::from);
    let subscriber = || SubscriberPre::new(linked.clone()).map_err(anyhow::Error::from);
    let missing = |export: &str| format!("{file} does not export {export}");
    Ok(Compiled {
        http: callers.http.then(service).transpose().with_context(|| missing("wasi:http/handler@0.3"))?,
        redis: callers.redis.then(subscriber).transpose().with_context(|| missing("spin:redis/inbound-redis@3.0.0"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::RedisTrigger;

    /// The error from compiling a component, given as text.
    fn error_of(text: &str) -> String {
        error_of_app(text, Vec::new())
    }

    fn error_of_app(text: &str, redis_triggers: Vec<RedisTrigger>) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("some.wasm");
        std::fs::write(&source, wat::parse_str(text).expect("well-formed")).expect("written");
        let component = Component { id: "some".into(), place: "spin.toml:7:1".into(), source, ..Component::default() };
        let app = App { components: vec![component], redis_triggers, ..App::default() };
        let error = compile(&engine(None).expect("an engine"), &app).map(drop).expect_err("refused");
        format!("{error:#}")
    }

    #[test]
    fn an_unknown_import_is_named() {
        let error = error_of(r#"(component (import "some:thing/api@1.0.0" (instance (export "f" (func)))))"#);
        assert!(error.starts_with("spin.toml:7:1: component \"some\": "), "{error}");
        assert!(error.contains("some:thing/api@1.0.0"), "{error}");
    }

    #[test]
    fn files_that_are_no_http_components_are_refused() {
        assert!(error_of("(component)").contains("wasi:http/handler"));
        assert!(error_of("(module)").contains("cannot compile"));
    }

    #[test]
    fn a_component_of_redis_triggers_only_needs_no_http_export() {
        let server = redis::IntoConnectionInfo::into_connection_info("redis://a.example").expect("valid");
        let error = error_of_app("(component)", vec![RedisTrigger { server, channel: "x".into(), component: 0 }]);
        assert!(error.contains("does not export spin:redis/inbound-redis@3.0.0"), "{error}");
    }
}
