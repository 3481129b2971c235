//! Passwords, address bases, the store of alerts.

use std::collections::BTreeSet;

use vedette_address::AddressBase;
use vedette_alert_store::{AlertStore, PostgresServer, StoreError};
use vedette_core::CameraSource;
use vedette_stages::{StoreSetting, alert_store};

use super::{Ask, Finding, Level, PreflightRule, apart, cameras, writable};
use crate::roles::Role;

/// Unset variables of passwords.
pub(super) fn passwords(ask: &Ask<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if ask.has(Role::Ingest) {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for (_, camera) in cameras::own(ask) {
            if let Some(CameraSource::Rtsp { credential: Some(name), .. }) = &camera.source {
                used.insert(name);
            }
        }
        for name in used {
            let path = format!("ingest.credentials.{name}.password_env");
            let credential = ask.reading.config.settings.ingest.credentials.get(name);
            let Some(credential) = credential.filter(|_| ask.reading.is_sound(&path)) else { continue };
            found.extend(unset(ask, Level::Camera, &path, &credential.password_env));
        }
    }
    let console = &ask.reading.config.settings.console;
    if ask.has(Role::Console)
        && ask.reading.is_sound("console.store")
        && ask.reading.is_sound("console.store_password_env")
        && let Some(variable) = &console.store_password_env
    {
        found.extend(unset(ask, Level::Mistake, "console.store_password_env", variable));
    }
    if ask.has(Role::Console)
        && let Some(single_sign_on) = &console.access.single_sign_on
        && ask.reading.is_sound("console.access.single_sign_on")
    {
        let path = "console.access.single_sign_on.secret_env";
        let unset = unset(ask, Level::Mistake, path, &single_sign_on.secret_env);
        let unusable = || {
            let error = single_sign_on.provider(&console.base_path()).err()?;
            let rule = PreflightRule::SingleSignOn { reason: error.to_string() };
            Some(ask.settings(Level::Mistake, "console.access.single_sign_on", "", rule))
        };
        found.extend(unset.or_else(unusable));
    }
    if ask.has(Role::Deliver) {
        for (index, sink) in ask.reading.config.settings.sinks.iter().enumerate() {
            let Some((field, variable)) = sink.secret_env() else { continue };
            let path = format!("sinks[{index}] ({}).{field}", sink.name());
            if ask.reading.is_sound(&path) && !variable.is_empty() {
                let unset = unset(ask, Level::Mistake, &path, variable);
                let unusable = || {
                    let error = sink.open(&ask.reading.config.settings.console.base_path()).err()?;
                    Some(ask.settings(
                        Level::Mistake,
                        &path,
                        variable,
                        PreflightRule::Secret { reason: error.to_string() },
                    ))
                };
                found.extend(unset.or_else(unusable));
            }
        }
    }
    found
}

/// The finding that an environment variable is not usable. A text that is no usual name of one is not repeated: somebody may have
/// written the secret itself.
pub(super) fn unset(ask: &Ask<'_>, level: Level, path: &str, variable: &str) -> Option<Finding> {
    let rule = match std::env::var(variable) {
        Ok(_) => return None,
        Err(std::env::VarError::NotPresent) => PreflightRule::Unset,
        Err(std::env::VarError::NotUnicode(_)) => PreflightRule::NotText,
    };
    let is_usual = variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    Some(ask.settings(level, path, if is_usual { variable } else { "" }, rule))
}

/// The address base, and the directory of the published ones.
pub(super) async fn bases(ask: &Ask<'_>) -> Vec<Finding> {
    let site = &ask.reading.config.settings.site;
    let mut found = Vec::new();
    if let Some(base) = site.address_base.clone().filter(|_| ask.reading.is_sound("site.address_base")) {
        let value = base.display().to_string();
        if !base.is_file() {
            found.push(ask.settings(Level::Mistake, "site.address_base", value, PreflightRule::NoBase));
        } else {
            match apart(move || AddressBase::open(&base).map(drop)).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    let rule = PreflightRule::Base { reason: error.to_string() };
                    found.push(ask.settings(Level::Mistake, "site.address_base", value, rule));
                }
                None => {
                    found.push(ask.settings(Level::Note, "site.address_base", value, PreflightRule::BaseNotRead));
                }
            }
        }
    }
    let uses_bases = ask.has(Role::Analyse) || ask.has(Role::Console);
    if uses_bases
        && ask.reading.is_sound("site.address_bases")
        && site.address_bases.exists()
        && !site.address_bases.is_dir()
    {
        let value = site.address_bases.display();
        found.push(ask.settings(Level::Mistake, "site.address_bases", value, PreflightRule::NoBases));
    }
    found
}

/// Whether detections can be stored.
pub(super) fn detections(ask: &Ask<'_>) -> Option<Finding> {
    const PATH: &str = "tuning.directory";
    let tuning = &ask.reading.config.settings.tuning;
    if !ask.has(Role::Console) || !tuning.enabled || !ask.reading.is_sound(PATH) {
        return None;
    }
    let reason = writable::refusal(&tuning.directory)?;
    Some(ask.settings(Level::Mistake, PATH, tuning.directory.display(), PreflightRule::DetectionStore { reason }))
}

/// Whether the store of alerts can be opened.
pub(super) async fn store(ask: &Ask<'_>) -> Vec<Finding> {
    let console = &ask.reading.config.settings.console;
    if !ask.has(Role::Console) || !ask.reading.is_sound("console.store") {
        return Vec::new();
    }
    let add = |rule: PreflightRule| vec![ask.settings(Level::Mistake, "console.store", "", rule)];
    let of = |has_accounts: Option<bool>| match console.reachable_by() {
        Some((setting, value)) if has_accounts == Some(false) => {
            vec![ask.settings(Level::Mistake, setting, value, PreflightRule::NoAccount)]
        }
        _ => Vec::new(),
    };
    match &console.store {
        StoreSetting::File(path) => match writable::file_refusal(path) {
            Some(reason) => add(PreflightRule::StoreFile { reason }),
            None => match AlertStore::probe_file(path) {
                Ok(has_accounts) => of(has_accounts),
                Err(error) => add(PreflightRule::Store { reason: error.to_string() }),
            },
        },
        StoreSetting::Server(_) if ask.by.offline() => Vec::new(),
        StoreSetting::Server(address) => {
            // Without the password no connection is possible; the missing password is reported by itself.
            let Ok(password) = alert_store::password(console.store_password_env.as_deref()) else { return Vec::new() };
            let address = address.clone();
            let probed = apart(move || {
                let server = PostgresServer::new(&address, password.as_deref()).map_err(|error| error.to_string())?;
                AlertStore::probe_server(&server).map_err(|error: StoreError| error.to_string())
            });
            match probed.await {
                Some(Ok(has_accounts)) => of(has_accounts),
                Some(Err(reason)) => add(PreflightRule::Store { reason }),
                None => add(PreflightRule::Database),
            }
        }
    }
}
