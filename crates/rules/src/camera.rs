//! Rules about the camera itself: shared by low frame rate, clock drift, frozen, covered, blurred and moved.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Quantity, Term, Timestamp};

use crate::held::{Held, Now};
use crate::near_miss::Shortfall;
use crate::state::State;
use crate::step::{Step, decimal};

/// The place of episodes about the camera itself.
pub(crate) const NOWHERE: PixelPoint = PixelPoint::new(0.0, 0.0);

/// The state of a rule about the camera.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct CameraState<M = ()> {
    pub(crate) held: Option<Held>,
    pub(crate) memory: M,
}

/// A measured value that is beyond its threshold, or near it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    Beyond(Measured),
    Near(Shortfall),
}

impl Reading {
    /// A value that should not fall below its threshold; none when it is far above.
    pub(crate) fn below(quantity: Quantity, term: Term, value: f32, threshold: f32) -> Option<Self> {
        if value < threshold {
            return Some(Self::Beyond(Measured { quantity, value: decimal(value), threshold: decimal(threshold) }));
        }
        Shortfall::above(term, value, threshold).map(Self::Near)
    }
}

/// A kind of rule about a measured value of the camera.
pub(crate) trait CameraValue {
    /// State of the measurement.
    type Memory;

    /// The value in this frame, when it is beyond its threshold or near it.
    fn read(&self, step: &Step<'_>, memory: &mut Self::Memory) -> Option<Reading>;
}

impl Step<'_> {
    /// One frame of a rule about the camera.
    pub(crate) fn camera<K: CameraValue>(&mut self, kind: &K, state: &mut CameraState<K::Memory>) {
        let reading = if self.frame.armed { kind.read(self, &mut state.memory) } else { None };
        let now = match reading {
            Some(Reading::Beyond(measured)) => Some(Now { measured: Some(measured), ..Now::default() }),
            _ => None,
        };
        self.hold(&mut state.held, now);
        // An alert passes near its threshold when it begins or ends: that is not a near-miss.
        if state.held.as_ref().is_some_and(Held::is_open) || self.is_silent(NOWHERE) {
            self.whole_met();
            return;
        }
        match reading {
            Some(Reading::Beyond(_)) => self.whole_goes_on(),
            Some(Reading::Near(shortfall)) => self.whole_lacks(Some((shortfall, NOWHERE))),
            None => self.whole_lacks(None),
        }
    }
}

impl<M> State for Box<CameraState<M>>
where
    M: std::fmt::Debug + Clone + PartialEq + Default + Serialize + DeserializeOwned,
{
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(std::mem::take(&mut **self).held.and_then(|held| held.end(not_after)));
    }

    fn is_open(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_open)
    }

    /// Each frame is measured.
    fn is_resting(&self, _scheduled: bool) -> bool {
        false
    }
}
