use std::fmt::Write;

pub use metrics::Unit;

/// Upper bounds of the buckets of a histogram of times, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// How values of a metric relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A count since the start of the process.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// The distribution of observations: their number, their sum, and buckets (times) or quantiles (anything else).
    Histogram,
}

/// What is known of a metric before it has a value.
#[derive(Debug)]
pub struct Definition {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The unit of its values; a count has none.
    pub unit: Unit,
    /// What it measures: one sentence or two.
    pub help: &'static str,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

impl Definition {
    /// Upper bounds of its buckets, in its unit; none when it is no histogram of times.
    #[must_use]
    pub fn buckets(&self) -> Option<&'static [f64]> {
        (self.kind == Kind::Histogram && self.unit == Unit::Seconds).then_some(&SECONDS)
    }

    /// Its row of docs/METRICS.md: name, kind, unit, labels, meaning.
    #[must_use]
    pub fn markdown(&self) -> String {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let mut row = format!("| `{}` | {kind} |", self.name);
        if self.unit != Unit::Count {
            let _ = write!(row, " {}", self.unit.as_str());
        }
        row += " |";
        for (index, label) in self.labels.iter().enumerate() {
            let _ = write!(row, "{} `{label}`", if index == 0 { "" } else { "," });
        }
        let _ = writeln!(row, " | {} |", self.help);
        row
    }

    /// Tells the installed recorder its help text and unit. Without a recorder this has no effect.
    pub fn describe(&self) {
        let (name, unit, help) = (self.name.into(), Some(self.unit), self.help.into());
        metrics::with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, unit, help),
            Kind::Gauge => recorder.describe_gauge(name, unit, help),
            Kind::Histogram => recorder.describe_histogram(name, unit, help),
        });
    }
}
