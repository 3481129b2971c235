use std::mem::discriminant;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Timestamp};

use crate::cooldown::Cooldown;
use crate::kinds::AnyState;
use crate::lazy_box::LazyBox;
use crate::near_miss::NearMisses;
use crate::nearest::{Nearest, NearestFrames};
use crate::ready::Watched;
use crate::ruleset::CompiledRule;
use crate::state::Reassociation;
use crate::trajectory::Remembered;

/// The state of an engine between two frames. Stored, loaded and restored with the same rules, the engine continues as if it had
/// never stopped.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineState {
    pub(crate) newest: Option<Timestamp>,
    /// By ascending track id.
    pub(crate) known: Vec<Remembered>,
    /// In the order of the rules.
    pub(crate) rules: Vec<RuleState>,
    /// Episodes that ended because their rule was removed, not emitted yet.
    pub(crate) due: Vec<Episode>,
}

impl EngineState {
    /// The frames that it keeps for near-misses.
    #[must_use]
    pub fn nearest_frames(&self) -> NearestFrames {
        let mut places = Vec::new();
        self.rules.iter().for_each(|rule| rule.nearest(&mut places));
        NearestFrames::of(&places)
    }

    /// Takes its [frames](Self::nearest_frames) back, without which it was stored; none when they are those of another state.
    #[must_use]
    pub fn with_nearest_frames(mut self, frames: NearestFrames) -> Option<Self> {
        let mut places = Vec::new();
        self.rules.iter_mut().for_each(|rule| rule.nearest_mut(&mut places));
        frames.restore(places).then_some(self)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState {
    /// Shared by all cameras with that rule.
    pub(crate) watched: Arc<Watched>,
    pub(crate) cooldown: Cooldown,
    pub(crate) near: LazyBox<NearMisses>,
    pub(crate) state: AnyState,
}

impl RuleState {
    pub(crate) fn new(rule: &CompiledRule) -> Self {
        Self {
            watched: rule.ready.watched.clone(),
            cooldown: Cooldown::default(),
            near: LazyBox::default(),
            state: rule.kind.state(),
        }
    }

    /// Whether the state is of the rule's kind.
    pub(crate) fn fits(&self, rule: &CompiledRule) -> bool {
        discriminant(&self.state) == discriminant(&rule.kind.state())
    }

    /// Ends open episodes at the time their condition held last, at most `not_after`, and forgets the rest.
    pub(crate) fn end_all(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        self.near.clear();
        let before = ended.len();
        self.state.end(not_after, ended);
        if !self.watched.alert {
            ended.truncate(before);
        }
    }

    /// Whether a frame without objects changes nothing.
    pub(crate) fn is_resting(&self, rule: &CompiledRule) -> bool {
        self.near.get().is_none_or(NearMisses::is_resting) && self.state.is_resting(rule.ready.calendar.is_some())
    }

    /// Frees memory that is not needed any more.
    pub(crate) fn shrink(&mut self) {
        self.near.shrink();
        if let Some(near) = self.near.allocated() {
            near.shrink();
        }
        self.state.shrink();
    }

    pub(crate) fn reassociate(&mut self, change: &Reassociation) {
        if let Some(near) = self.near.allocated() {
            near.reassociate(change.old, change.new);
        }
        self.state.reassociate(change);
    }

    fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
        if let Some(near) = self.near.get() {
            near.nearest(places);
        }
        self.state.nearest(places);
    }

    fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
        if let Some(near) = self.near.allocated() {
            near.nearest_mut(places);
        }
        self.state.nearest_mut(places);
    }
}
