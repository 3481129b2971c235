//! Turns episodes into alerts, with place, address and evidence.

use std::collections::BTreeMap;

use vedette_address::AddressBase;
use vedette_alerts::{AlertContext, alert_id, assemble};
use vedette_core::{
    AddressMatch, Alert, AlertStatus, CameraRecord, Episode, EpisodePhase, FrameSize, GroundPoint, Place, PlaceSource,
    Quality, Timestamp,
};
use vedette_rules::{Subject, rule_kind};

use super::CameraAnalysis;
use super::ground::ANCHOR_SIGMA_PX;

/// The record at which episodes were raised or ended.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) record: &'a CameraRecord,
    /// Frame size that the episodes' pixels refer to.
    pub(super) frame: FrameSize,
    pub(super) quality: Quality,
}

impl CameraAnalysis {
    /// The alert of an episode: raised, or the end of a raised one.
    pub(super) fn alert(&mut self, episode: &Episode, moment: Moment<'_>, base: Option<&AddressBase>) -> Alert {
        if episode.phase == EpisodePhase::Ended
            && let Some(alert) = self.ended(episode)
        {
            return alert;
        }
        let alert = self.raised(episode, moment, base);
        if alert.status == AlertStatus::Open {
            self.open.insert(alert.id, Box::new(alert.clone()));
        }
        alert
    }

    fn raised(&self, episode: &Episode, moment: Moment<'_>, base: Option<&AddressBase>) -> Alert {
        let Moment { record, frame, quality } = moment;
        let (ground, source) = if rule_kind(episode.kind).is_some_and(|kind| kind.subject == Subject::Camera) {
            (self.locator.position(), PlaceSource::CameraPosition)
        } else {
            self.locator.locate(episode.anchor, frame, ANCHOR_SIGMA_PX)
        };
        let address = base.and_then(|base| self.address(base, &ground, source, record.at.captured));
        let rule_name = self.policy.as_ref().and_then(|policy| {
            policy.policy().rules.iter().find(|rule| rule.id == episode.rule).map(|rule| rule.name.clone())
        });
        let path = episode.objects.first().map(|object| self.paths.of(object.id)).unwrap_or_default();
        assemble(
            episode,
            AlertContext {
                camera: &self.camera,
                rule_name: rule_name.as_deref().unwrap_or(episode.rule.as_str()),
                record,
                frame,
                quality,
                place: Place { ground, source, address },
                path,
            },
        )
    }

    /// The address of a place. Without calibration, and above the horizon, an event may be anywhere in view, so the camera's own
    /// address is better than what stands around its mount; otherwise it stands in where the base has nothing.
    fn address(
        &self,
        base: &AddressBase,
        ground: &GroundPoint,
        source: PlaceSource,
        at: Timestamp,
    ) -> Option<AddressMatch> {
        let own = || base.stated(self.camera.address.as_ref()?);
        let is_anywhere = match source {
            PlaceSource::Calibration => false,
            PlaceSource::AboveHorizon => true,
            // With a calibration, it is about the camera itself, which is at its mount.
            PlaceSource::CameraPosition => self.camera.calibration.is_none(),
        };
        let first = if is_anywhere { own() } else { None };
        first.or_else(|| base.resolve(ground, at)).or_else(own)
    }

    /// The second revision of a raised alert: the same content, its address too, now with its end.
    pub(super) fn ended(&mut self, episode: &Episode) -> Option<Alert> {
        let id = alert_id(&self.camera.id, &episode.rule, episode.started, episode.subject);
        let mut alert = *self.open.remove(&id)?;
        if self.open.is_empty() {
            // An empty map keeps its allocation.
            self.open = BTreeMap::new();
        }
        alert.revision += 1;
        alert.status = AlertStatus::Ended;
        alert.ended = episode.ended;
        alert.measured = episode.measured;
        Some(alert)
    }
}
