//! `[[sinks]]`: validation of the entries.

use std::collections::BTreeSet;

use vedette_core::ValidationError;
use vedette_stages::SinkSettings;

use super::location::related;
use super::{ConfigRule, Mistake};

/// All validation errors of the entries, except for unreadable values (`unread`).
pub(super) fn check(file: &str, sinks: &[SinkSettings], unread: &[String], mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    for (index, sink) in sinks.iter().enumerate() {
        let at = format!("sinks[{index}] ({})", sink.name());
        let mut found = sink.mistakes();
        if !seen.insert(sink.name()) {
            found.push(ValidationError::new("name", sink.name(), ConfigRule::SameSink));
        }
        for mistake in found {
            let mistake = Mistake::in_section(file, &at, mistake);
            if !unread.iter().any(|unread| related(unread, &mistake.error.path)) {
                mistakes.push(mistake);
            }
        }
    }
}
