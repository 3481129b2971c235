//! `[[sinks]]`: every mistake of the entries.

use std::collections::BTreeSet;

use super::Mistake;
use super::location::related;
use crate::sinks::{SinkMistake, SinkSettings};

/// Everything that is wrong in the entries, but for what could not be read (`unread`).
pub(super) fn check(file: &str, sinks: &[SinkSettings], unread: &[String], mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    for (index, sink) in sinks.iter().enumerate() {
        let at = format!("sinks[{index}] ({})", sink.name());
        let mut found = sink.mistakes();
        if !seen.insert(sink.name()) {
            found.push(SinkMistake {
                field: "name".to_owned(),
                value: sink.name().to_owned(),
                rule: "another sink has this name".to_owned(),
                fix: "give each its own: it names the consumer group".to_owned(),
            });
        }
        for SinkMistake { field, value, rule, fix } in found {
            let path = format!("{at}.{field}");
            if !unread.iter().any(|unread| related(unread, &path)) {
                mistakes.push(Mistake { file: file.to_owned(), path, value, rule, fix });
            }
        }
    }
}
