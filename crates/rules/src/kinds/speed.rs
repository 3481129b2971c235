use vedette_core::{Measured, Quantity, Term, Zone};

use crate::definition::{Gbt28181, Kind, KindInfo, SPEED, text};
use crate::parameters::parameters;
use crate::step::{Step, decimal};
use crate::trajectory::Trajectory;
use crate::zone_dwell::{Began, ObjectInZone, Verdict, ZoneDwells};

parameters! {
    /// The speed of an object in the zone is at least `at_least_m_s` for `min_duration`. Calibrated. Speed is the displacement on
    /// the ground over about one second divided by the time; it is known only where the error of the place is at most 2 m, and
    /// where frames are at most three seconds apart.
    pub(crate) struct Speed {
        /// The zone.
        zone: Zone;
        /// Speed in metres per second.
        at_least_m_s: f32 [0.1 => 100.0];
    }
}

impl Kind for Speed {
    const INFO: KindInfo = KindInfo {
        measures: &[SPEED],
        needs_ground: true,
        needs_history: true,
        gbt28181: Gbt28181::video(12),
        ..KindInfo::new("speed", text("Speed", "超速"), text("An object is faster than allowed.", "目标速度超过限值。"))
    };
    type State = ZoneDwells;

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for Speed {
    fn verdict(&self, _step: &Step<'_>, object: &Trajectory<'_>, _began: Began) -> Verdict {
        Verdict::at_least(Term::SPEED, object.speed(), self.at_least_m_s)
    }

    fn measured(&self, peak: f64) -> Option<Measured> {
        Some(Measured { quantity: Quantity::SPEED, value: peak, threshold: decimal(self.at_least_m_s) })
    }
}
