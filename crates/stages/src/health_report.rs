//! The health of the stages as the API reports it.

use vedette_console::{HealthReport, HealthSource, StageCondition, StageReport};
use vedette_runtime::health::{Condition, Health, StageHealth};

/// [`Health`] as a source of the console and the operations port.
#[derive(Clone)]
pub struct ReportedHealth(pub Health);

impl HealthSource for ReportedHealth {
    fn health(&self) -> HealthReport {
        let stages = self.0.snapshot().into_iter().map(|(name, stage)| {
            let StageHealth { condition, detail, since } = stage;
            (name.to_owned(), StageReport { condition: word(condition), detail, since })
        });
        HealthReport { ready: self.0.ready(), stages: stages.collect() }
    }
}

fn word(condition: Condition) -> StageCondition {
    match condition {
        Condition::Starting => StageCondition::Starting,
        Condition::Running => StageCondition::Running,
        Condition::Degraded => StageCondition::Degraded,
        Condition::Failed => StageCondition::Failed,
        Condition::Stopped => StageCondition::Stopped,
    }
}
