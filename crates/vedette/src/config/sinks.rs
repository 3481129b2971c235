//! `[[sinks]]`: validation of the entries.

use std::collections::BTreeSet;

use vedette_core::SettingMistake;
use vedette_stages::SinkSettings;

use super::Mistake;
use super::location::related;

/// All validation errors of the entries, except for unreadable values (`unread`).
pub(super) fn check(file: &str, sinks: &[SinkSettings], unread: &[String], mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    for (index, sink) in sinks.iter().enumerate() {
        let at = format!("sinks[{index}] ({})", sink.name());
        let mut found = sink.mistakes();
        if !seen.insert(sink.name()) {
            let fix = "give each its own: it names the consumer group";
            found.push(SettingMistake::new("name", sink.name(), "another sink has this name", fix));
        }
        for mistake in found {
            let mistake = Mistake::in_section(file, &at, mistake);
            if !unread.iter().any(|unread| related(unread, &mistake.path)) {
                mistakes.push(mistake);
            }
        }
    }
}
