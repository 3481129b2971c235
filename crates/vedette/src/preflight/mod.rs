//! Checks of the dependencies of a run, shared by `vedette check` and `vedette run`. Nothing is created or changed, and all
//! problems are reported at once.

mod bus;
mod calibrations;
mod cameras;
mod danger;
mod finding;
mod keys;
mod models;
mod ports;
mod preflight_rule;
mod privacy;
mod running;
mod site;
mod time_zones;
mod writable;

use std::collections::HashSet;
use std::fmt::Display;
use std::time::Duration;

pub use finding::{Finding, Findings, Level};
pub(crate) use preflight_rule::PreflightRule;
use vedette_core::Violation;

use crate::config::{Mistakes, Reading};
use crate::roles::Role;

/// Timeout of a service that is contacted.
const PATIENCE: Duration = Duration::from_secs(4);
/// Timeout of a check, whatever it waits for.
const AT_MOST: Duration = Duration::from_secs(8);

/// The command that runs the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// `vedette check`, which may run beside the product.
    Check {
        /// Contact no other machine.
        offline: bool,
    },
    /// A process that is about to run.
    Run,
}

impl For {
    fn offline(self) -> bool {
        self == Self::Check { offline: true }
    }
}

/// Inputs of the checks.
struct Ask<'a> {
    reading: &'a Reading,
    roles: &'a HashSet<Role>,
    by: For,
}

impl Ask<'_> {
    fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// A finding about the settings file.
    fn settings(&self, level: Level, path: &str, value: impl Display, rule: impl Into<Violation>) -> Finding {
        Finding::new(level, &self.reading.file, path, value, rule)
    }
}

/// Checks all dependencies of the roles. Settings with validation errors are not checked further.
pub async fn preflight(reading: &Reading, roles: &HashSet<Role>, by: For) -> Findings {
    let ask = Ask { reading, roles, by };
    let mut found = Vec::new();
    found.extend(site::passwords(&ask));
    found.extend(danger::kafka_variables(&ask));
    let own = async {
        let (models, site, store) = (models::look(&ask), site::bases(&ask), site::store(&ask));
        tokio::join!(models, site, store)
    };
    let (own, cameras, bus) = tokio::join!(own, cameras::look(&ask), bus::look(&ask));
    found.extend(cameras);
    found.extend(own.0);
    found.extend(own.1);
    found.extend(bus);
    found.extend(own.2);
    found.extend(site::detections(&ask));
    found.extend(ports::look(&ask));
    found.extend(privacy::look(&ask));
    found.extend(keys::look(&ask));
    found.extend(danger::look(&ask));
    found.extend(calibrations::look(&ask));
    found.extend(time_zones::look(&ask));
    if by.offline() {
        found.push(ask.settings(Level::Note, "bus, console.store", "", PreflightRule::Offline));
    }
    Findings(found)
}

/// Runs blocking work off the async threads, with a timeout.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::time::timeout(AT_MOST, tokio::task::spawn_blocking(work)).await.ok()?.ok()
}

/// Reports everything that prevents a run, before anything runs. Warnings, and cameras that cannot be read while others can, are
/// logged.
///
/// # Errors
/// All errors at once.
pub(crate) async fn refuse_unready(reading: &Reading, roles: &HashSet<Role>) -> anyhow::Result<()> {
    let findings = preflight(reading, roles, For::Run).await;
    let stops = !reading.mistakes.is_empty() || findings.at(Level::Mistake).next().is_some();
    if stops {
        let mistakes = [reading.mistakes.clone(), findings.mistakes()].concat();
        crate::terminal::tell!("{findings}");
        return Err(Mistakes(mistakes).into());
    }
    // The log takes only so many lines of one kind: what is said of the settings stands before what is said of each camera.
    let file = reading.file.display().to_string();
    let (settings, rest): (Vec<_>, Vec<_>) = findings.at(Level::Warning).partition(|what| what.file == file);
    for what in settings.into_iter().chain(findings.at(Level::Camera)).chain(rest) {
        tracing::warn!("{what}");
    }
    Ok(())
}
