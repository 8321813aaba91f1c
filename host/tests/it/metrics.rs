//! `--metrics-listen`: the host's own figures.

use futures::future::join_all;
use http::Method;
use prometheus_parse::{HistogramCount, Sample, Value};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::{Gate, OPEN};
use crate::host::{DEADLINE, Host, get};

/// A host that serves metrics.
pub struct Measured {
    pub host: Host,
    url: String,
}

/// The labels of requests that were refused for `reason`.
pub fn refused(reason: &str) -> [(&str, &str); 2] {
    [("component", "probe"), ("reason", reason)]
}

/// What one request for the metrics returned.
pub struct Figures(Vec<Sample>);

impl Measured {
    pub async fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = arguments.iter().chain(&["--metrics-listen", "127.0.0.1:0"]).copied().collect();
        let host = Host::start(&arguments).await;
        let url = host.wait_for_line("Metrics: ").await.trim_start_matches("Metrics: ").to_owned();
        Self { host, url }
    }

    pub async fn figures(&self) -> Figures {
        let response = get(&self.url).await;
        assert_eq!(response.status, 200, "{}", response.body);
        Figures::parse(&response.body)
    }

    /// Waits until a figure has this value.
    pub async fn wait_for(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let reached = async {
            while self.figures().await.value(name, labels) != expected {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(DEADLINE, reached).await;
        assert!(reached.is_ok(), "{name} is {} and not {expected}", self.figures().await.value(name, labels));
    }
}

impl Figures {
    /// Parses the text. The parser skips lines that it does not understand, so they are counted.
    fn parse(text: &str) -> Self {
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        let parsed = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("text");
        let samples = |sample: &Sample| match &sample.value {
            Value::Histogram(buckets) => buckets.len(),
            _ => 1,
        };
        assert_eq!(parsed.samples.iter().map(samples).sum::<usize>(), lines().count(), "{text}");
        for line in lines() {
            let name = line.split(['{', ' ']).next().expect("a name");
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            let of_family = |kind: &str| text.contains(&format!("# {kind} {family} "));
            assert!(of_family("HELP") && of_family("TYPE"), "{line}");
        }
        Self(parsed.samples)
    }

    fn sample(&self, name: &str, labels: &[(&str, &str)]) -> &Value {
        let has = |sample: &Sample| {
            sample.labels.len() == labels.len() && labels.iter().all(|(k, v)| sample.labels.get(k) == Some(*v))
        };
        let found = self.0.iter().find(|sample| sample.metric == name && has(sample));
        &found.unwrap_or_else(|| panic!("no sample {name} {labels:?}")).value
    }

    /// The value of a counter or gauge, or of the sum or count of a histogram.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.sample(name, labels) {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn responses(&self, component: &str, status_class: &str) -> f64 {
        self.value("tumbler_host_requests_total", &[("component", component), ("status_class", status_class)])
    }

    fn of_component(&self, name: &str, component: &str) -> f64 {
        self.value(&format!("tumbler_host_{name}"), &[("component", component)])
    }
}

#[tokio::test]
async fn only_get_metrics_is_answered() {
    let measured = Measured::start(&[]).await;
    let response = get(&measured.url).await;
    assert_eq!(response.headers["content-type"], "text/plain; version=0.0.4");
    assert_eq!(response.headers["content-length"], response.body.len().to_string().as_str());

    let base = measured.url.trim_end_matches("/metrics");
    for path in ["/", "/metrics/", "/hello"] {
        let response = get(&format!("{base}{path}")).await;
        response.assert_problem(404);
        assert!(response.headers.contains_key("content-length"));
    }
    for method in [Method::POST, Method::DELETE] {
        let response = crate::host::request(method, &measured.url, &[], "").await;
        response.assert_problem(405);
        assert_eq!(response.headers["allow"], "GET, HEAD");
        assert!(response.headers.contains_key("content-length"));
    }
    // The application has the path for itself.
    assert_eq!(measured.host.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn responses_are_counted_by_component_and_status_class() {
    // Several threads: their figures are added up.
    let measured = Measured::start(&["--workers", "3"]).await;
    let host = &measured.host;
    join_all((0..30).map(|_| host.get("/hello"))).await;
    assert_eq!(host.get("/unknown-to-the-component").await.status, 404);
    host.get("/trap").await.assert_problem(500);
    assert_eq!(host.get("/fixed").await.status, 203);
    host.get("/.well-known/spin/nothing").await.assert_problem(404);
    host.get("/fetch?url=http://other.spin.internal/hello").await.assert_body("200 OK\nhello");

    let figures = measured.figures().await;
    assert_eq!((figures.responses("probe", "2xx"), figures.responses("probe", "4xx")), (31.0, 1.0));
    assert_eq!((figures.responses("probe", "5xx"), figures.responses("probe", "3xx")), (1.0, 0.0));
    assert_eq!(figures.responses("other", "2xx"), 1.0, "a request of another component");
    assert_eq!((figures.responses("none", "2xx"), figures.responses("none", "4xx")), (1.0, 1.0));
    assert_eq!(figures.of_component("traps_total", "probe"), 1.0);
    assert_eq!(figures.of_component("traps_total", "other"), 0.0);
    assert!(!figures.0.iter().any(|sample| {
        sample.labels.get("component") == Some("none") && sample.metric != "tumbler_host_requests_total"
    }));
}

#[tokio::test]
async fn durations_are_a_histogram() {
    let measured = Measured::start(&[]).await;
    measured.host.get("/later?ms=0").await.assert_body("answered");
    measured.host.get("/fetch?url=http://127.0.0.1:1/").await;
    let gate = Gate::start().await;
    let path = gate.through("/fetch?");
    let open_late = async {
        gate.wait_for(1).await;
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        gate.open();
    };
    let (slow, ()) = tokio::join!(measured.host.get(&path), open_late);
    slow.assert_body(OPEN);

    let figures = measured.figures().await;
    let Value::Histogram(buckets) = figures.sample("tumbler_host_request_duration_seconds", &[("component", "probe")])
    else {
        panic!("no histogram")
    };
    let bounds: Vec<f64> = buckets.iter().map(|bucket| bucket.less_than).collect();
    let expected = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
    assert_eq!(bounds, expected);
    let within =
        |bound: f64| buckets.iter().find(|bucket| bucket.less_than == bound).map(|HistogramCount { count, .. }| *count);
    assert!(buckets.windows(2).all(|pair| pair[0].count <= pair[1].count), "{buckets:?}");
    assert_eq!(within(f64::INFINITY), Some(3.0));
    assert!(within(0.025) <= Some(2.0), "one took at least 30 ms: {buckets:?}");
    assert_eq!(figures.of_component("request_duration_seconds_count", "probe"), 3.0);
    assert!(figures.of_component("request_duration_seconds_sum", "probe") >= 0.03);
}

#[tokio::test]
async fn waiting_and_refused_requests_are_counted() {
    let gate = Gate::start().await;
    let limits = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1", "--max-queue", "2"];
    let measured = Measured::start(&limits).await;
    measured.host.get("/hello").await.assert_body("hello");
    let path = gate.through("/fetch?");
    let responses = join_all((0..6).map(|_| measured.host.get(&path)));
    let watch = async {
        // One is in the instance, two wait.
        measured.wait_for("tumbler_host_requests_refused_total", &refused("queue"), 3.0).await;
        let figures = measured.figures().await;
        assert_eq!(figures.of_component("requests_waiting", "probe"), 2.0);
        assert_eq!(figures.of_component("requests_in_flight", "probe"), 3.0);
        assert_eq!(figures.responses("probe", "5xx"), 3.0);
        gate.open();
    };
    let (responses, ()) = tokio::join!(responses, watch);
    assert_eq!(responses.iter().filter(|response| response.status == 200).count(), 3);
    let figures = measured.figures().await;
    assert_eq!(figures.of_component("requests_waiting", "probe"), 0.0);
    assert_eq!(figures.of_component("requests_in_flight", "probe"), 0.0);
    assert_eq!(figures.of_component("requests_cancelled_total", "probe"), 0.0);
}

#[tokio::test]
async fn instances_are_counted() {
    let measured = Measured::start(&["--max-instance-reuse-count", "1", "--idle-instance-timeout", "60s"]).await;
    for _ in 0..3 {
        measured.host.get("/count").await.assert_body("1 0");
    }
    assert_eq!(measured.figures().await.of_component("instances_created_total", "probe"), 3.0);
    measured.wait_for("tumbler_host_instances", &[("component", "probe")], 0.0).await;

    let measured = Measured::start(&["--idle-instance-timeout", "60s"]).await;
    measured.host.get("/hello").await.assert_body("hello");
    assert_eq!(measured.figures().await.of_component("instances", "probe"), 1.0);
    assert_eq!(measured.figures().await.of_component("instances", "other"), 0.0);
}

#[tokio::test]
async fn connections_and_cancelled_requests_are_counted() {
    let gate = Gate::start().await;
    let measured = Measured::start(&[]).await;
    let mut connections = Vec::new();
    for _ in 0..5 {
        connections.push(TcpStream::connect(measured.host.authority()).await.expect("listens"));
    }
    measured.wait_for("tumbler_host_connections", &[], 5.0).await;
    drop(connections);
    measured.wait_for("tumbler_host_connections", &[], 0.0).await;

    let path = gate.through("/fetch?");
    tokio::select! {
        () = gate.wait_for(1) => {}
        _ = measured.host.get(&path) => panic!("the gate is closed"),
    }
    measured.wait_for("tumbler_host_requests_cancelled_total", &[("component", "probe")], 1.0).await;
    assert_eq!(measured.figures().await.of_component("requests_in_flight", "probe"), 0.0);
}

#[tokio::test]
async fn the_process_is_described() {
    let measured = Measured::start(&[]).await;
    let before = measured.figures().await;
    let value = |name: &str| before.value(&format!("process_{name}"), &[]);
    assert!((1e6..1e12).contains(&value("resident_memory_bytes")));
    assert!(value("cpu_seconds_total") > 0.0);
    assert!(value("open_fds") > 3.0 && value("open_fds") <= value("max_fds"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let age = now - value("start_time_seconds");
    assert!((0.0..DEADLINE.as_secs_f64() * 2.0).contains(&age), "{age} s");

    let mut connections = Vec::new();
    for _ in 0..50 {
        connections.push(TcpStream::connect(measured.host.authority()).await.expect("listens"));
    }
    measured.wait_for("tumbler_host_connections", &[], 50.0).await;
    // Less than 50 more: connections for metrics may have been open.
    assert!(measured.figures().await.value("process_open_fds", &[]) >= value("open_fds") + 40.0);
}
