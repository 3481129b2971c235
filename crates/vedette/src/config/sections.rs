//! Validation of the sections of the settings, each by itself and pairs of them against each other.

use vedette_core::{LONGEST_NAME, text_violation};

use super::{ConfigRule, Mistake, Settings};

/// All validation errors of the sections.
pub(super) fn check(file: &str, settings: &Settings, mistakes: &mut Vec<Mistake>) {
    let Settings { bus, ingest, detect, analyse, console, tuning, operations, .. } = settings;
    let sections = [
        ("bus", bus.mistakes()),
        ("ingest", ingest.mistakes()),
        ("detect", detect.mistakes()),
        ("analyse", analyse.mistakes()),
        ("console", console.mistakes()),
        ("tuning", tuning.mistakes()),
    ];
    for (section, found) in sections {
        mistakes.extend(found.into_iter().map(|mistake| Mistake::in_section(file, section, mistake)));
    }
    if let Some(violation) = text_violation(&settings.site.name, LONGEST_NAME) {
        let shown: String = settings.site.name.chars().take(80).collect();
        mistakes.push(Mistake::new(file, "site.name", shown, violation));
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if detect.model.is_empty() || !detect.model.chars().all(is_name) || detect.model.starts_with('.') {
        let shown: String = detect.model.chars().take(80).collect();
        mistakes.push(Mistake::new(file, "detect.model", shown, ConfigRule::ModelName));
    }
    if let Some(listen) = operations.listen.filter(|listen| listen.port() != 0 && *listen == console.listen) {
        mistakes.push(Mistake::new(file, "operations.listen", listen, ConfigRule::SamePort));
    }
}
