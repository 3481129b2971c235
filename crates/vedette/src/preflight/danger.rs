//! Settings that are allowed, and dangerous: who runs them should know.

use vedette_topics::BusKind;

use super::{Ask, Finding, Level, PreflightRule, cameras};
use crate::roles::Role;
use vedette_stages::registry::PASSWORD_PLACEHOLDER;

pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let settings = &ask.reading.config.settings;
    let warn = |path: &str, value: String, rule: PreflightRule| ask.settings(Level::Warning, path, value, rule);
    let mut found = Vec::new();
    if ask.has(Role::Console) && ask.reading.is_sound("console") {
        let listen = settings.console.listen;
        if !listen.ip().is_loopback() {
            found.push(warn("console.listen", listen.to_string(), PreflightRule::OpenPage));
        }
        if !settings.console.pixelate {
            found.push(warn("console.pixelate", "false".to_owned(), PreflightRule::NotPixelated));
        }
    }
    if let Some(listen) = settings.operations.listen.filter(|listen| !listen.ip().is_loopback())
        && ask.reading.is_sound("operations.listen")
    {
        found.push(warn("operations.listen", listen.to_string(), PreflightRule::OpenOperations));
    }
    if settings.bus.kind == BusKind::Kafka {
        for name in settings.bus.kafka.secrets_in_file() {
            let path = format!("bus.kafka.properties.{name}");
            found.push(warn(&path, String::new(), PreflightRule::SecretInFile { name: name.to_owned() }));
        }
    }
    if ask.has(Role::Ingest) {
        found.extend(addresses(ask));
    }
    found
}

/// Cameras whose address has a secret in path or query.
fn addresses(ask: &Ask<'_>) -> Vec<Finding> {
    let settings = &ask.reading.config.settings;
    let file = &settings.site.cameras;
    let rule = PreflightRule::SecretInAddress { placeholder: PASSWORD_PLACEHOLDER.to_owned() };
    cameras::own(ask)
        .filter(|(_, camera)| settings.ingest.addresses.contains_key(&camera.id))
        .map(|(index, _)| {
            let at = ask.reading.camera_paths.get(index).map_or("camera", String::as_str);
            Finding::new(Level::Warning, file, &format!("{at}.source.url"), "", rule.clone())
        })
        .collect()
}

/// Variables with secret settings of Kafka that are not set.
pub(super) fn kafka_variables(ask: &Ask<'_>) -> Vec<Finding> {
    let bus = &ask.reading.config.settings.bus;
    if bus.kind != BusKind::Kafka {
        return Vec::new();
    }
    let unset = |(name, variable): (&String, &String)| {
        let path = format!("bus.kafka.properties_env.{name}");
        ask.reading.is_sound(&path).then(|| super::site::unset(ask, Level::Mistake, &path, variable))?
    };
    bus.kafka.properties_env.iter().filter_map(unset).collect()
}
