//! Recorded detections by camera, with the alerts that they gave and the verdicts on them.

use std::sync::Arc;

use anyhow::Context;
use vedette_alert_store::{AlertFilter, AlertStore, StoreError};
use vedette_alerts::{Decision, StoredAlert};
use vedette_analysis::{Setups, Site};
use vedette_core::{Alert, Camera, CameraId, Policy, PolicyScope, Span, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_stages::{ConsoleSettings, StoreSetting, alert_store};
use vedette_tuning::{Baseline, Comparison, Judgement, Point, Recording, Source, Verdicts};

use super::{WindowArgs, recordings};
use crate::recorded_site::RecordedSite;

pub(super) struct Window {
    site: Arc<RecordedSite>,
    cameras: Vec<Recorded>,
    baseline: Option<Baseline>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// One camera of it.
pub(super) struct Recorded {
    camera: Arc<Camera>,
    setups: Arc<Setups>,
    policy: Option<Arc<SharedPolicy>>,
    pub(super) recording: Recording<'static>,
    /// The alerts with what was in force.
    pub(super) alerts: Vec<Alert>,
    /// On these.
    pub(super) verdicts: Verdicts,
}

impl Window {
    pub(super) async fn open(args: &WindowArgs) -> anyhow::Result<Self> {
        let (site, by_camera) = recordings::open(args)?;
        let store = match &site.console {
            Some(console) => existing_store(console).await?,
            None => None,
        };
        let (mut cameras, mut baseline) = (Vec::new(), None);
        for (id, source) in by_camera {
            let live = match &store {
                Some(store) => Some(live(store, &id, &source).await?),
                None => None,
            };
            let recorded = Recorded::open(&site, &id, source, live.as_deref())?;
            if let Some((camera, of_camera)) = recorded {
                cameras.push(camera);
                baseline = sum(baseline, of_camera);
            } else {
                crate::terminal::tell_line!("camera {id} is not known to the site: its detections are left out");
            }
        }
        Ok(Self { site, cameras, baseline, from: args.from, until: args.until })
    }

    pub(super) fn recorded(&self) -> &[Recorded] {
        &self.cameras
    }

    /// The cameras of the site.
    pub(super) fn cameras(&self) -> Vec<Camera> {
        self.site.registry.cameras().iter().map(|camera| Camera::clone(camera)).collect()
    }

    pub(super) fn baseline(&self) -> Option<Baseline> {
        self.baseline
    }

    /// Whether an alert raised at a time is in question.
    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }

    /// Adds the points of a camera to those of others.
    pub(super) fn add(&self, sum: &mut Vec<Point>, points: Vec<Point>) {
        let part = |comparison: &Comparison| comparison.part(|at| self.has(at));
        let points: Vec<Point> = points
            .into_iter()
            .map(|point| Point { outcome: point.outcome.as_ref().map(part).map_err(Clone::clone), ..point })
            .collect();
        if sum.is_empty() {
            *sum = points;
            return;
        }
        for (sum, point) in sum.iter_mut().zip(points) {
            match (&mut sum.outcome, point.outcome) {
                (Ok(sum), Ok(more)) => sum.differences.extend(more.differences),
                (Ok(_), Err(mistakes)) => sum.outcome = Err(mistakes),
                (Err(_), _) => {}
            }
        }
    }
}

fn sum(one: Option<Baseline>, other: Option<Baseline>) -> Option<Baseline> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    Some(Baseline {
        live: one.live + other.live,
        equal: one.equal + other.equal,
        shifted: one.shifted + other.shifted,
        only_here: one.only_here + other.only_here,
    })
}

impl Recorded {
    /// None when the site does not know the camera.
    fn open(
        site: &Arc<RecordedSite>,
        id: &CameraId,
        source: Source,
        live: Option<&[StoredAlert]>,
    ) -> anyhow::Result<Option<(Self, Option<Baseline>)>> {
        let last = source.span().map_or(Timestamp::default(), |span| span.1);
        let Some(setups) = site.setups(id) else { return Ok(None) };
        let Some(camera) = setups.camera(last).cloned() else { return Ok(None) };
        let policy = setups.at(last).and_then(|setup| setup.policy.clone());
        let mut recording = Recording {
            source,
            tracked: None,
            base: Box::new({
                let site = site.clone();
                move |at| site.base(at)
            }),
            tracker: site.analyse.tracker.clone(),
            sort_window: site.analyse.sort_window,
        };
        let in_store = matches!(recording.source, Source::Stored { .. });
        let tracked = recording.track(&setups).with_context(|| format!("camera {id}"))?;
        if in_store {
            recordings::tell(id, tracked);
        }
        let alerts = recording.alerts(&setups).with_context(|| format!("camera {id}"))?;
        let (baseline, verdicts) = live.map(|live| carried(&alerts, live)).unzip();
        let verdicts = verdicts.unwrap_or_default();
        Ok(Some((Self { camera, setups, policy, recording, alerts, verdicts }, baseline)))
    }

    pub(super) fn id(&self) -> &CameraId {
        &self.camera.id
    }

    /// The policy in force at the end.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref().map(|policy| policy.policy())
    }

    /// The policy among these that applies to it.
    pub(super) fn of(&self, policies: &[Policy]) -> Option<Policy> {
        let own = PolicyScope::Camera(self.camera.id.clone());
        let groups = self.camera.groups.iter().cloned().map(PolicyScope::Group);
        let mut scopes = std::iter::once(own).chain(groups);
        scopes.find_map(|scope| policies.iter().find(|policy| policy.applies_to == scope)).cloned()
    }

    /// The camera with another policy for all time.
    pub(super) fn with_policy(&self, policy: Option<&Policy>) -> Setups {
        self.setups.with_policy(policy.cloned().map(SharedPolicy::new).map(Arc::new))
    }

    /// When the older 60 % of its judged alerts end.
    pub(super) fn split(&self) -> Option<Timestamp> {
        let judged = self.alerts.iter().filter(|alert| self.verdicts.contains_key(&alert.id));
        let judged: Vec<Timestamp> = judged.map(|alert| alert.raised).collect();
        judged.get(judged.len() * 3 / 5).copied()
    }
}

fn carried(alerts: &[Alert], live: &[StoredAlert]) -> (Baseline, Verdicts) {
    let judgement = |decision| match decision {
        Decision::Confirmed => Judgement::Confirmed,
        Decision::FalseAlarm => Judgement::False,
    };
    let verdicts =
        live.iter().filter_map(|stored| Some((stored.alert.id, judgement(stored.verdict.as_ref()?.decision))));
    let live: Vec<Alert> = live.iter().map(|stored| stored.alert.clone()).collect();
    Baseline::of(alerts, &live, &verdicts.collect())
}

/// The alert store of the site; none when its file does not exist yet.
async fn existing_store(console: &ConsoleSettings) -> anyhow::Result<Option<Arc<AlertStore>>> {
    match &console.store {
        StoreSetting::File(path) if !path.exists() => Ok(None),
        _ => alert_store::open(console).await.context("reading verdicts from the alert store").map(Some),
    }
}

/// The alerts of a camera that were raised live in the time of its records.
async fn live(store: &Arc<AlertStore>, camera: &CameraId, source: &Source) -> anyhow::Result<Vec<StoredAlert>> {
    let Some((first, last)) = source.span() else { return Ok(Vec::new()) };
    let until = last + Span::from_micros(1);
    let mut filter = AlertFilter {
        each: true,
        camera: Some(camera.clone()),
        from: Some(first),
        until: Some(until),
        limit: 1_000,
        ..AlertFilter::default()
    };
    let store = store.clone();
    let alerts = tokio::task::spawn_blocking(move || {
        let mut alerts = Vec::new();
        loop {
            let page = store.list(&filter)?;
            alerts.extend(page.alerts);
            filter.before = page.next;
            if filter.before.is_none() {
                return Ok::<_, StoreError>(alerts);
            }
        }
    });
    Ok(alerts.await??)
}
