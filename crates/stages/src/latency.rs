//! Latency from capture to alert, and its parts.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use vedette_core::{Span, StageLatency, Timestamp};

use crate::metrics;

/// Samples kept: the latest ones.
const MOST_SAMPLES: usize = 10_000;

/// The parts of one alert's latency. `rest` is the bus and the analysis: the total less the other four.
#[derive(Debug, Clone, Copy)]
struct Sample {
    total: Span,
    steps: StageLatency,
    rest: Span,
}

/// The latencies of the alerts of this process, cheap to clone.
#[derive(Clone, Default)]
pub struct LatencyBook(Arc<Mutex<VecDeque<Sample>>>);

impl LatencyBook {
    /// Records that an alert on a frame captured at `captured` became durable at `now`.
    pub fn note(&self, captured: Timestamp, steps: Option<StageLatency>, now: Timestamp) {
        let total = now.since(captured);
        metrics::ALERT_LATENCY_SECONDS.get().record(total.as_secs_f64());
        let Some(steps) = steps else { return };
        let known = [steps.chunk, steps.decode, steps.wait, steps.inference];
        let rest = Span::from_micros(total.as_micros() - known.iter().map(|span| span.as_micros()).sum::<i64>());
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == MOST_SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample { total, steps, rest });
    }

    /// Median and 99th percentile of each part; none before the first alert.
    #[must_use]
    pub fn summary(&self) -> Option<LatencySummary> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.is_empty() {
            return None;
        }
        let quantiles = |part: fn(&Sample) -> Span| {
            let mut values: Vec<Span> = samples.iter().map(part).collect();
            values.sort_unstable();
            let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
            (at(0.5), at(0.99))
        };
        Some(LatencySummary {
            count: samples.len(),
            rows: vec![
                ("total", quantiles(|s| s.total)),
                ("chunk", quantiles(|s| s.steps.chunk)),
                ("decode", quantiles(|s| s.steps.decode)),
                ("wait", quantiles(|s| s.steps.wait)),
                ("inference", quantiles(|s| s.steps.inference)),
                ("bus and analysis", quantiles(|s| s.rest)),
                (
                    "beyond chunk and inference",
                    quantiles(|s| {
                        Span::from_micros(
                            s.total.as_micros() - s.steps.chunk.as_micros() - s.steps.inference.as_micros(),
                        )
                    }),
                ),
            ],
        })
    }
}

/// A table of median and 99th percentile by part.
#[derive(Debug, Clone)]
pub struct LatencySummary {
    count: usize,
    rows: Vec<(&'static str, (Span, Span))>,
}

impl fmt::Display for LatencySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Frame captured to alert on the bus, {} alerts, milliseconds:", self.count)?;
        writeln!(f, "  {:<28}{:>10}{:>10}", "", "p50", "p99")?;
        for (name, (median, high)) in &self.rows {
            let ms = |span: &Span| span.as_micros() as f64 / 1e3;
            writeln!(f, "  {name:<28}{:>10.1}{:>10.1}", ms(median), ms(high))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() {
        let book = LatencyBook::default();
        assert!(book.summary().is_none());
        for total in 1..=100 {
            let steps = StageLatency { chunk: Span::from_millis(total / 2), ..StageLatency::default() };
            book.note(Timestamp::default(), Some(steps), Timestamp::default() + Span::from_millis(total));
        }
        let text = book.summary().unwrap().to_string();
        assert!(text.contains("100 alerts"), "{text}");
        assert!(text.contains("99.0"), "{text}");
    }
}
