//! What it costs to start: the host with and without a compilation cache, and instances; and how much memory they take.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::application::{Application, Environment};
use super::cpu;
use super::estimate::Estimate;
use super::http;
use super::measure::{Row, Subject, alternating};
use super::options::Options;
use super::readers;
use super::wrk::Load;

/// Each request gets an instance of its own, …
const NEW_INSTANCES: [&str; 2] = ["--max-instance-reuse-count", "1"];
/// … each request at the same time does.
const ONE_AT_A_TIME: [&str; 2] = ["--max-instance-concurrent-reuse-count", "1"];
/// Instances before the measurement, so that the host has freed what it needed to start, …
const FIRST_INSTANCES: usize = 16;
/// … and instances whose memory is measured. Each core may have 64 of a component.
const INSTANCES: usize = 48;
/// A host without a compilation cache needs seconds to start.
const STARTS_MAX: u64 = 5;
const USER: &str = "/users/1";
const MIB: f64 = 1_048_576.0;

/// A row: what is measured, and the estimates for all builds, in their order.
pub struct Figure {
    pub name: String,
    pub estimates: Vec<Option<Estimate>>,
}

/// Measures all rows of all builds.
///
/// # Errors
/// If a host does not start, or a response is wrong.
pub async fn rows(environments: &[Environment], options: &Options) -> Result<Vec<Figure>> {
    const NAMES: [&str; 4] = [
        "start of the host until its first response, nothing compiled yet, s",
        "the same with the compilation cache, s",
        "memory of the host after its first response, MiB",
        "memory of one more instance (ops, with a stream of events), MiB",
    ];
    let mut values: Vec<[Vec<f64>; NAMES.len()]> = environments.iter().map(|_| Default::default()).collect();
    for number in 0..options.rounds.min(STARTS_MAX) {
        eprintln!("      starts: round {}", number + 1);
        for (environment, values) in environments.iter().zip(&mut values) {
            let (cold_s, warm_s, host_bytes) = host(environment).await?;
            let figures = [Some(cold_s), Some(warm_s), mib(host_bytes), mib(one_more_instance(environment).await?)];
            values.iter_mut().zip(figures).for_each(|(values, figure)| values.extend(figure));
        }
    }
    let figure = |(index, name): (usize, &&str)| Figure {
        name: (*name).into(),
        estimates: values.iter().map(|values| Estimate::of(values[index].iter().copied())).collect(),
    };
    let mut figures: Vec<Figure> = NAMES.iter().enumerate().map(figure).collect();
    figures.extend(new_instances(environments, options).await?);
    Ok(figures)
}

fn mib(bytes: Option<f64>) -> Option<f64> {
    bytes.map(|bytes| bytes / MIB)
}

/// How many seconds a start takes without and with a compilation cache; the memory after it, in bytes.
async fn host(environment: &Environment) -> Result<(f64, f64, Option<f64>)> {
    let cache = tempfile::tempdir()?;
    let start = async || -> Result<(f64, Option<f64>)> {
        let start = Instant::now();
        let app = environment.start_with_cache("spin.toml", cache.path()).await?;
        http::get(&app.address, USER, &[], 200)?;
        Ok((start.elapsed().as_secs_f64(), memory(&app)))
    };
    let (cold_s, _) = start().await?;
    let (warm_s, bytes) = start().await?;
    Ok((cold_s, warm_s, bytes))
}

/// The memory of an instance, in bytes: what open streams of events add, of which each has an instance of its own.
async fn one_more_instance(environment: &Environment) -> Result<Option<f64>> {
    let app = environment.start("spin.toml", &ONE_AT_A_TIME).await?;
    let mut streams = Vec::new();
    let mut before = None;
    for number in 0..FIRST_INSTANCES + INSTANCES {
        if number == FIRST_INSTANCES {
            before = memory(&app);
        }
        streams.push(readers::open(app.address.clone()).await?);
    }
    Ok(memory(&app).zip(before).map(|(after, before)| (after - before) / INSTANCES as f64))
}

fn memory(app: &Application) -> Option<f64> {
    app.processes.host.and_then(cpu::resident_bytes_of_group).map(|bytes| bytes as f64)
}

/// What a request costs more if an instance starts for it. One client sends one request after another.
async fn new_instances(environments: &[Environment], options: &Options) -> Result<Vec<Figure>> {
    const ROUTES: [(&str, &str, &str); 2] =
        [("the empty component", "bench/spin.toml", "/empty"), ("users, cached read", "spin.toml", USER)];
    // Reused and new instances, of each route and build.
    let mut apps = Vec::new();
    for (_, manifest, path) in ROUTES {
        for environment in environments {
            for args in [&[][..], &NEW_INSTANCES] {
                let app = environment.start(manifest, args).await?;
                http::get(&app.address, path, &[], 200)?;
                apps.push((environment.build.name.as_str(), path, app));
            }
        }
    }
    let subjects = apps.iter().map(|(build, path, app)| Subject {
        name: format!("GET {path} with reused and with new instances"),
        build,
        processes: app.processes,
        run: Box::new(move |seconds| Load::get(path).run(&app.address, 1, seconds)),
    });
    let rows = alternating(&subjects.collect::<Vec<_>>(), options)?;
    let (pairs, rest) = rows.as_chunks::<2>();
    ensure!(rest.is_empty(), "each row has a partner");
    let builds = pairs.chunks(environments.len());
    let figures = ROUTES.iter().zip(builds).flat_map(|((name, ..), pairs)| {
        let figure = |what: &str, more: fn(&[Row; 2]) -> Option<Estimate>| Figure {
            name: format!("a new instance of {name}: {what}"),
            estimates: pairs.iter().map(more).collect(),
        };
        [figure("ms more until the response", more_latency), figure("ms more CPU", more_cpu)]
    });
    Ok(figures.collect())
}

fn more_latency([reused, new]: &[Row; 2]) -> Option<Estimate> {
    new.compared(reused, |round| Some(round.p50.as_secs_f64() * 1e3), |new, reused| new - reused)
}

fn more_cpu([reused, new]: &[Row; 2]) -> Option<Estimate> {
    new.compared(reused, |round| Some(round.host?.as_secs_f64() * 1e3), |new, reused| new - reused)
}
