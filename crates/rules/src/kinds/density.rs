use vedette_core::{EventCode, Measured, Quantity, Term, ViolationInfo, Zone, violations};

use crate::crowd::{ManyInZone, MaybeCrowd};
use crate::definition::{Context, Gbt28181, Kind, KindInfo, Measure, OBJECTS, Subject, text};
use crate::found::Found;
use crate::parameters::parameters;
use crate::step::{Step, decimal};

violations! {
    pub(crate) enum DensityRule {
        NeedsSquareMetres = "density.zone": "a density needs a zone whose square metres are known",
            "give it as {{ ground = [{{ latitude = .., longitude = .. }}, ...] }}";
    }
}

parameters! {
    /// As `count`, in objects per square metre. Calibrated; the zone lies on the ground, so that its area is known.
    pub(crate) struct Density {
        /// The zone, on the ground.
        zone: Zone;
        /// Objects per square metre.
        at_least_per_m2: f32 [0.01 => 10.0];
    }
}

impl Kind for Density {
    const VIOLATIONS: &'static [ViolationInfo] = DensityRule::ALL;
    const INFO: KindInfo = KindInfo {
        subject: Subject::Zone,
        measures: &[Measure::at_least(Quantity::DENSITY, text("objects a square metre", "个目标/平方米")), OBJECTS],
        stays: true,
        needs_ground: true,
        onvif_topic: Some("RuleEngine/CountAggregation/Counter"),
        gbt28181: Gbt28181::video(10),
        event_code: Some(EventCode::constant(11)),
        ..KindInfo::new(
            "density",
            text("Crowd density", "人群密度超限"),
            text("Objects stand too closely in the zone.", "区域内人群密度过高。"),
        )
    };
    type State = MaybeCrowd;

    fn check(&self, _context: Context<'_>, found: &mut Found) {
        if !self.zone.is_on_ground() {
            found.add("when.zone", "pixels", DensityRule::NeedsSquareMetres);
        }
    }

    fn step(&self, step: &mut Step<'_>, state: &mut MaybeCrowd) {
        step.crowd(self, state);
    }
}

impl ManyInZone for Density {
    fn needed(&self, step: &Step<'_>) -> Option<u32> {
        // Rounding must not require one more.
        let needed = step.ready.zone.ground_area()? * f64::from(self.at_least_per_m2) * (1.0 - 1e-6);
        Some((needed.ceil() as u32).max(1))
    }

    fn measured(&self, step: &Step<'_>, count: u32) -> Measured {
        match step.ready.zone.ground_area() {
            Some(area) => Measured {
                quantity: Quantity::DENSITY,
                value: f64::from(count) / area,
                threshold: decimal(self.at_least_per_m2),
            },
            None => Measured { quantity: Quantity::OBJECTS, value: count.into(), threshold: 0.0 },
        }
    }

    fn term(&self) -> Term {
        Term::DENSITY
    }
}
