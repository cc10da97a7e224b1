//! Counters of the server and of whoever registers theirs, written in the Prometheus text format.
//!
//! Counters are plain atomics owned by what they count: a request takes no lock and looks nothing up. (The `metrics`
//! crate's recorder is global to the process and hashes a key for every increment.)

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Name, with its unit last: `railbird_sessions_bytes`. Counters end in `_total`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it only rises.
    pub kind: MetricKind,
    /// Labels and their values.
    pub labels: Vec<(&'static str, String)>,
    /// Value.
    pub value: f64,
}

impl Metric {
    /// A counter without labels.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: MetricKind::Counter, labels: Vec::new(), value: value as f64 }
    }

    /// A gauge without labels.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: MetricKind::Gauge, labels: Vec::new(), value }
    }

    /// Adds a label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

/// Kind of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A bucket, sum or count of a histogram, whose name is that of the histogram with its ending.
    Histogram,
}

/// Reads counters whenever `/metrics` is asked for. Must be quick: it runs on an async worker.
pub type MetricSource = Arc<dyn Fn() -> Vec<Metric> + Send + Sync>;

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper ends of the latency buckets, seconds.
const BUCKETS_S: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Requests of one route: by status, and how long they took.
pub(crate) struct RouteMetrics {
    method: &'static str,
    route: &'static str,
    by_status: Box<[AtomicU64; 500]>,
    buckets: [AtomicU64; BUCKETS_S.len() + 1],
    total_ns: AtomicU64,
}

impl RouteMetrics {
    pub(crate) fn new(method: &'static str, route: &'static str) -> Self {
        Self {
            method,
            route,
            by_status: Box::new([const { AtomicU64::new(0) }; 500]),
            buckets: [const { AtomicU64::new(0) }; BUCKETS_S.len() + 1],
            total_ns: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, status: u16, took: Duration) {
        let slot = usize::from(status.clamp(100, 599) - 100);
        self.by_status[slot].fetch_add(1, Relaxed);
        let took_s = took.as_secs_f64();
        let bucket = BUCKETS_S.iter().position(|end_s| took_s <= *end_s).unwrap_or(BUCKETS_S.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.total_ns.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn collect(&self, into: &mut Vec<Metric>) {
        let labelled = |metric: Metric| metric.with("method", self.method).with("route", self.route);
        for (status, count) in (100_u16..).zip(self.by_status.iter()) {
            let count = count.load(Relaxed);
            if count > 0 {
                let metric = Metric::counter("railbird_requests_total", "requests answered", count);
                into.push(labelled(metric).with("status", status.to_string()));
            }
        }
        const HELP: &str = "time from headers to answer";
        let histogram =
            |name, value| labelled(Metric { name, help: HELP, kind: MetricKind::Histogram, labels: Vec::new(), value });
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count.load(Relaxed);
            let end = BUCKETS_S.get(bucket).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            into.push(histogram("railbird_request_seconds_bucket", below as f64).with("le", end));
        }
        into.push(histogram("railbird_request_seconds_sum", self.total_ns.load(Relaxed) as f64 / 1e9));
        into.push(histogram("railbird_request_seconds_count", below as f64));
    }
}

/// Writes series in the Prometheus text format, grouped by name, in a fixed order.
pub(crate) fn render(metrics: &[Metric]) -> String {
    let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        families.entry(family(metric)).or_default().push(metric);
    }
    let mut out = String::with_capacity(metrics.len() * 96);
    for (name, series) in families {
        let kind = match series[0].kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", series[0].help);
        for metric in series {
            out.push_str(metric.name);
            for (at, (label, value)) in metric.labels.iter().enumerate() {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(out, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
            }
            if !metric.labels.is_empty() {
                out.push('}');
            }
            let _ = writeln!(out, " {}", metric.value);
        }
    }
    out
}

fn family(metric: &Metric) -> &'static str {
    match metric.kind {
        MetricKind::Histogram => {
            ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.name.strip_suffix(end)).unwrap_or(metric.name)
        }
        MetricKind::Counter | MetricKind::Gauge => metric.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_stand_together_and_labels_are_escaped() {
        let text = render(&[
            Metric::counter("b_total", "second", 2).with("path", "a\"b\\c\nd"),
            Metric::gauge("a_bytes", "first", 1.5),
            Metric::counter("b_total", "second", 3),
        ]);
        assert_eq!(
            text,
            "# HELP a_bytes first\n# TYPE a_bytes gauge\na_bytes 1.5\n# HELP b_total second\n# TYPE b_total counter\n\
             b_total{path=\"a\\\"b\\\\c\\nd\"} 2\nb_total 3\n"
        );
    }

    #[test]
    fn buckets_are_cumulative() {
        let route = RouteMetrics::new("GET", "/x");
        for ms in [0, 1, 3, 30_000] {
            route.record(200, Duration::from_millis(ms));
        }
        route.record(404, Duration::ZERO);
        let mut metrics = Vec::new();
        route.collect(&mut metrics);
        let text = render(&metrics);
        for line in [
            "railbird_requests_total{method=\"GET\",route=\"/x\",status=\"200\"} 4",
            "railbird_requests_total{method=\"GET\",route=\"/x\",status=\"404\"} 1",
            "# TYPE railbird_request_seconds histogram",
            "railbird_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"0.0005\"} 2",
            "railbird_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"0.001\"} 3",
            "railbird_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"10\"} 4",
            "railbird_request_seconds_bucket{method=\"GET\",route=\"/x\",le=\"+Inf\"} 5",
            "railbird_request_seconds_sum{method=\"GET\",route=\"/x\"} 30.004",
            "railbird_request_seconds_count{method=\"GET\",route=\"/x\"} 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
