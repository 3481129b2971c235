use vedette_core::{
    Area, Condition, DailyWindow, FrameSize, GroundPoint, PixelPoint, Rule, Schedule, Segment, Span, Zone,
};

use crate::ground::Ground;

/// Pixels of the frame, as parts of its sides, that stand for a calibration.
const PROBES: [(f32, f32); 4] = [(0.25, 0.6), (0.75, 0.6), (0.25, 0.9), (0.75, 0.9)];

/// What a rule watches, as one number that is the same on every machine: open episodes go on under a new policy when it
/// is unchanged. Name, purpose, severity and cooldowns are no part of it; for a rule about the ground the calibration is.
pub(crate) fn fingerprint(rule: &Rule, frame: FrameSize, ground: Option<&dyn Ground>) -> u64 {
    let mut hash = Fnv::new();
    hash.number(u64::from(frame.width)).number(u64::from(frame.height));
    hash.number(rule.condition.kind() as u64);
    if let Some(zone) = rule.condition.zone() {
        hash.zone(zone);
    }
    hash.parameters(&rule.condition);
    if let Some(ground) = ground.filter(|_| rule.condition.needs_ground()) {
        hash.calibration(ground, frame);
    }
    for class in rule.classes.iter() {
        hash.number(u64::from(class.number()));
    }
    hash.float(rule.score.enter.get()).float(rule.score.stay.get());
    if let Some(size) = rule.size {
        hash.float(size.min_height).float(size.max_height);
    }
    hash.span(rule.min_duration).span(rule.gap_tolerance).number(u64::from(rule.alert));
    if let Some(schedule) = &rule.schedule {
        hash.schedule(schedule);
    }
    hash.0
}

/// What a combination watches: its own setting and that of the rules it is made of.
pub(crate) fn combined(own: u64, terms: impl Iterator<Item = u64>) -> u64 {
    let mut hash = Fnv(own);
    terms.for_each(|term| {
        hash.number(term);
    });
    hash.0
}

/// FNV-1a, 64 bits: small, and defined for good, which the standard library's hashes are not.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn float(&mut self, float: f32) -> &mut Self {
        self.number(u64::from(float.to_bits()))
    }

    fn span(&mut self, span: Span) -> &mut Self {
        self.number(span.as_micros() as u64)
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    fn point(&mut self, point: PixelPoint) -> &mut Self {
        self.float(point.x).float(point.y)
    }

    fn segment(&mut self, segment: Segment) -> &mut Self {
        self.point(segment.a).point(segment.b).number(segment.direction as u64)
    }

    fn zone(&mut self, zone: &Zone) {
        match zone {
            Zone::Pixels(area) => self.area(area, |hash, point: &PixelPoint| {
                hash.point(*point);
            }),
            Zone::Ground(area) => self.area(area, |hash, point: &GroundPoint| {
                hash.number(point.latitude().to_bits()).number(point.longitude().to_bits());
            }),
        }
    }

    fn area<P>(&mut self, area: &Area<P>, add: impl Fn(&mut Self, &P)) {
        for ring in std::iter::once(&area.outline).chain(&area.holes) {
            self.number(ring.len() as u64);
            ring.iter().for_each(|point| add(self, point));
        }
    }

    /// What a condition has besides its zone.
    fn parameters(&mut self, condition: &Condition) {
        match condition {
            Condition::Presence { .. } | Condition::ZoneEntry { .. } | Condition::ZoneExit { .. } => self,
            Condition::LineCrossing { .. } => {
                condition.segments().into_iter().fold(self, |hash, segment| hash.segment(segment))
            }
            Condition::Tailgating { a, b, direction, within } => {
                self.segment(Segment { a: *a, b: *b, direction: *direction }).span(*within)
            }
            Condition::Dwell { duration, .. } => self.span(*duration),
            Condition::Count { at_least, .. } => self.number(u64::from(*at_least)),
            Condition::Density { at_least_per_m2, .. } => self.float(*at_least_per_m2),
            Condition::Gathering { at_least, reach, .. } => self.number(u64::from(*at_least)).float(*reach),
            Condition::Stopped { duration, reach, .. } => self.span(*duration).float(*reach),
            Condition::WrongWay { from, to, tolerance_deg, distance, .. } => {
                self.point(*from).point(*to).float(*tolerance_deg).float(*distance)
            }
            Condition::LeftObject { duration, owner_reach, .. } => self.span(*duration).float(*owner_reach),
            Condition::RemovedObject { settled, missing, .. } => self.span(*settled).span(*missing),
            Condition::Speed { at_least_m_s, .. } => self.float(*at_least_m_s),
            Condition::Running { at_least_m_s, rise_m_s, .. } => self.float(*at_least_m_s).float(*rise_m_s),
            Condition::Sequence { within, same_object, .. } | Condition::Absence { within, same_object, .. } => {
                self.span(*within).number(u64::from(*same_object))
            }
            Condition::Together { within, .. } => self.span(*within),
            Condition::Offline { after } => self.span(*after),
            Condition::LowFrameRate { below_fps, over } => self.float(*below_fps).span(*over),
            Condition::ClockDrift { at_least } => self.span(*at_least),
            Condition::Frozen { change_below } => self.float(*change_below),
            Condition::Covered { contrast_below } => self.float(*contrast_below),
            Condition::Blurred { below_part } => self.float(*below_part),
            Condition::Moved { similarity_below } => self.float(*similarity_below),
        };
    }

    fn calibration(&mut self, ground: &dyn Ground, frame: FrameSize) {
        for (x, y) in PROBES {
            let pixel = PixelPoint::new(x * frame.width as f32, y * frame.height as f32);
            match ground.metres(pixel) {
                Some(metres) => self.float(metres.east).float(metres.north),
                None => self.number(0),
            };
        }
    }

    fn schedule(&mut self, schedule: &Schedule) {
        self.text(&schedule.time_zone);
        schedule.windows.iter().for_each(|window| self.window(window));
        schedule.holidays.iter().for_each(|date| {
            self.text(date);
        });
        self.number(schedule.holiday_windows.len() as u64);
        schedule.holiday_windows.iter().for_each(|window| self.window(window));
    }

    fn window(&mut self, window: &DailyWindow) {
        self.text(&window.from).text(&window.until).number(window.days.len() as u64);
        window.days.iter().for_each(|day| {
            self.number(*day as u64);
        });
    }
}
