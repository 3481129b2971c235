//! Recorded detections by camera, with the alerts that they gave and the verdicts on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use vedette_access::Areas;
use vedette_alert_store::AlertStore;
use vedette_core::{AlertId, Camera, CameraId, Timestamp};
use vedette_stages::tuning::{KnownSite, Trials};
use vedette_stages::{ConsoleSettings, StoreSetting, alert_store};
use vedette_tuning::{Baseline, CameraTrial, Source};

use super::{WindowArgs, sources};
use crate::config::Config;
use crate::recorded_site::SiteArgs;

/// The recordings that a command is about.
pub(super) struct Recordings {
    site: Arc<KnownSite>,
    trials: Trials,
    sources: BTreeMap<CameraId, Source>,
    args: WindowArgs,
}

impl Recordings {
    pub(super) async fn open(args: WindowArgs) -> anyhow::Result<Self> {
        let (site, sources) = sources::open(&args)?;
        let store = match &site.console {
            Some(console) => existing_store(console).await?,
            None => None,
        };
        let (site, analyse) = (Arc::new(site.known), site.analyse);
        let trials = Trials::new(site.clone(), &analyse, store);
        Ok(Self { site, trials, sources, args })
    }

    /// The cameras of the site.
    pub(super) fn cameras(&self) -> Vec<Camera> {
        self.site.registry.cameras().iter().map(|camera| Camera::clone(camera)).collect()
    }

    /// Calls `each` with one camera after the other; returns how they compare with what was raised live. It blocks.
    pub(super) fn for_each(
        self,
        mut each: impl FnMut(&mut CameraTrial<'static>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Baseline>> {
        let mut baseline: Option<Baseline> = None;
        for (id, source) in self.sources {
            let is_stored = matches!(source, Source::Stored { .. });
            let opened = self.trials.open(&id, source, self.args.window(), 0, Arc::default());
            let Some(mut trial) = opened.with_context(|| format!("camera {id}"))? else {
                crate::terminal::tell_line!("camera {id} is not known to the site: its detections are left out");
                continue;
            };
            if is_stored {
                sources::tell(&trial);
            }
            if let Some(more) = trial.baseline() {
                *baseline.get_or_insert_default() += more;
            }
            each(&mut trial).with_context(|| format!("camera {id}"))?;
        }
        Ok(baseline)
    }
}

/// The camera of an alert that was raised live, and when; none when no alert store has it.
pub(super) async fn live_alert(site: &SiteArgs, id: AlertId) -> anyhow::Result<Option<(CameraId, Timestamp)>> {
    let Some(config) = &site.config else { return Ok(None) };
    let Some(store) = existing_store(&Config::load(config)?.settings.console).await? else { return Ok(None) };
    let stored = super::apart(move || Ok(store.get(id, &Areas::Everywhere)?)).await?;
    Ok(stored.map(|stored| (stored.alert.camera, stored.alert.raised)))
}

/// The alert store of the site; none when its file does not exist yet.
async fn existing_store(console: &ConsoleSettings) -> anyhow::Result<Option<Arc<AlertStore>>> {
    match &console.store {
        StoreSetting::File(path) if !path.exists() => Ok(None),
        _ => alert_store::open(console).await.context("reading verdicts from the alert store").map(Some),
    }
}
