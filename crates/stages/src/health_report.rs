//! The health of the stages as the API gives it out.

use vedette_console::{HealthReport, HealthSource, StageReport};
use vedette_runtime::health::Health;

/// [`Health`] as a source of the console and the operations port.
#[derive(Clone)]
pub struct ReportedHealth(pub Health);

impl HealthSource for ReportedHealth {
    fn health(&self) -> HealthReport {
        let stages = self.0.snapshot().into_iter().map(|(name, stage)| {
            let report = StageReport {
                condition: stage.condition.as_str().to_owned(),
                detail: stage.detail,
                since: stage.since,
            };
            (name.to_owned(), report)
        });
        HealthReport { ready: self.0.ready(), stages: stages.collect() }
    }
}
