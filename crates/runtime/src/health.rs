//! The health that each stage reports, for `/healthz`, the page and the summary.

use std::sync::Arc;

use dashmap::DashMap;

use crate::clock;
use crate::metrics;

/// Condition of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is not ready yet.
    Starting,
    /// It works.
    Running,
    /// It works, but something is wrong or slow.
    Degraded,
    /// It does not work now; it is being retried.
    Failed,
    /// It was stopped.
    Stopped,
}

impl Condition {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A stage's latest report.
#[derive(Debug, Clone)]
pub struct StageHealth {
    /// Its condition.
    pub condition: Condition,
    /// Why, for people.
    pub detail: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The health of every stage of this process, cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<DashMap<&'static str, StageHealth>>);

impl Health {
    /// Sets a stage's condition; repeating the same condition and detail changes nothing.
    pub fn set(&self, stage: &'static str, condition: Condition, detail: impl Into<String>) {
        let detail = detail.into();
        let same = self.0.get(stage).is_some_and(|now| now.condition == condition && now.detail == detail);
        if same {
            return;
        }
        let works = matches!(condition, Condition::Running | Condition::Degraded);
        metrics::STAGE_UP.with([stage]).set(f64::from(u8::from(works)));
        self.0.insert(stage, StageHealth { condition, detail, since: clock::now().to_string() });
    }

    /// A stage's condition; none when it has reported none.
    #[must_use]
    pub fn condition(&self, stage: &str) -> Option<Condition> {
        self.0.get(stage).map(|now| now.condition)
    }

    /// Every stage by name.
    #[must_use]
    pub fn snapshot(&self) -> std::collections::BTreeMap<&'static str, StageHealth> {
        self.0.iter().map(|entry| (*entry.key(), entry.value().clone())).collect()
    }

    /// Whether every stage works.
    #[must_use]
    pub fn ready(&self) -> bool {
        !self.0.is_empty()
            && self.0.iter().all(|stage| matches!(stage.condition, Condition::Running | Condition::Degraded))
    }
}
