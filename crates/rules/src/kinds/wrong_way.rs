use vedette_core::{EventCode, Measured, PixelPoint, Quantity, Term, ViolationInfo, Zone, violations};

use crate::definition::{Context, Gbt28181, Kind, KindInfo, Measure, text};
use crate::found::Found;
use crate::limits;
use crate::parameters::parameters;
use crate::step::{Step, decimal};
use crate::trajectory::Trajectory;
use crate::zone_dwell::{Began, ObjectInZone, Verdict, ZoneDwells};

violations! {
    pub(crate) enum WrongWayRule {
        ShortArrow = "wrong-way.arrow": "an arrow is at least one pixel long", "draw its two ends apart";
    }
}

parameters! {
    /// An object in the zone moves against the arrow `from` to `to`: within two seconds its displacement is at least `distance`, at
    /// an angle of at most `tolerance_deg` to the opposite direction.
    pub(crate) struct WrongWay {
        /// The zone.
        zone: Zone;
        /// Start of the arrow in the permitted direction.
        from: PixelPoint;
        /// End of the arrow.
        to: PixelPoint;
        /// Tolerance of the opposite direction, in degrees.
        tolerance_deg: f32 [1.0 => 89.0] = 60.0;
        /// Displacement against the arrow within two seconds, in box heights.
        distance: f32 [0.1 => 20.0] = 0.5;
    }
}

impl Kind for WrongWay {
    const VIOLATIONS: &'static [ViolationInfo] = WrongWayRule::ALL;
    const INFO: KindInfo = KindInfo {
        measures: &[Measure::at_least(Quantity::HEIGHTS, text("heights of the object", "倍目标高度"))],
        needs_history: true,
        gbt28181: Gbt28181::video(7),
        event_code: Some(EventCode::constant(7)),
        ..KindInfo::new(
            "wrong_way",
            text("Wrong way", "逆行"),
            text("An object moves against the permitted direction.", "目标逆向行进。"),
        )
    };
    type State = ZoneDwells;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_points("when.from", &[self.from], context.frame(), found);
        limits::check_points("when.to", &[self.to], context.frame(), found);
        if limits::is_short(self.from, self.to) {
            found.add("when", "from = to", WrongWayRule::ShortArrow);
        }
    }

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for WrongWay {
    fn verdict(&self, _step: &Step<'_>, object: &Trajectory<'_>, _began: Began) -> Verdict {
        Verdict::at_least(Term::HEIGHTS, self.against(object), self.distance)
    }

    fn measured(&self, peak: f64) -> Option<Measured> {
        Some(Measured { quantity: Quantity::HEIGHTS, value: peak, threshold: decimal(self.distance) })
    }
}

impl WrongWay {
    /// Displacement against the arrow, in box heights; none when the object moves in another direction.
    fn against(&self, object: &Trajectory<'_>) -> Option<f32> {
        let [x, y] = object.displacement()?;
        let (arrow_x, arrow_y) = (self.to.x - self.from.x, self.to.y - self.from.y);
        let length = arrow_x.hypot(arrow_y);
        let back = -(x * arrow_x + y * arrow_y) / length;
        let aside = (x * arrow_y - y * arrow_x).abs() / length;
        (back > 0.0 && aside.atan2(back).to_degrees() <= self.tolerance_deg).then_some(back / object.height())
    }
}
