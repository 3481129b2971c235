use vedette_core::{EventCode, Measured, Quantity, Term, Zone};

use crate::definition::{Gbt28181, Kind, KindInfo, SPEED, text};
use crate::parameters::parameters;
use crate::step::{Step, decimal};
use crate::trajectory::Trajectory;
use crate::zone_dwell::{Began, ObjectInZone, Verdict, ZoneDwells};

parameters! {
    /// An object breaks into a run: its speed is at least `at_least_m_s`, and at least `rise_m_s` more than two seconds before.
    /// Calibrated. The object must have been tracked for two and a half seconds; a running person is tracked at ten frames per
    /// second or more.
    pub(crate) struct Running {
        /// The zone.
        zone: Zone;
        /// Speed in metres per second.
        at_least_m_s: f32 [0.1 => 100.0] = 3.5;
        /// Increase of speed within two seconds, in metres per second.
        rise_m_s: f32 [0.1 => 100.0] = 1.5;
    }
}

impl Kind for Running {
    const INFO: KindInfo = KindInfo {
        measures: &[SPEED],
        needs_ground: true,
        needs_history: true,
        gbt28181: Gbt28181::video(12),
        event_code: Some(EventCode::constant(4)),
        ..KindInfo::new(
            "running",
            text("Running", "奔跑"),
            text("An object that was slow breaks into a run.", "目标突然奔跑。"),
        )
    };
    type State = ZoneDwells;

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for Running {
    fn verdict(&self, _step: &Step<'_>, object: &Trajectory<'_>, began: Began) -> Verdict {
        let broke_into_it = || object.speed_gain().is_some_and(|gain| gain >= self.rise_m_s);
        if began.now && !broke_into_it() {
            Verdict::Fails(None)
        } else {
            Verdict::at_least(Term::SPEED, object.speed(), self.at_least_m_s)
        }
    }

    fn measured(&self, peak: f64) -> Option<Measured> {
        Some(Measured { quantity: Quantity::SPEED, value: peak, threshold: decimal(self.at_least_m_s) })
    }
}
