use vedette_core::{Condition, FrameSize, PixelPoint, Rule};

/// What a rule watches, as one number that is the same on every machine: open episodes go on under a new policy when it
/// is unchanged. Name, purpose, severity and cooldown are no part of it.
pub(crate) fn fingerprint(rule: &Rule, frame: FrameSize) -> u64 {
    let mut hash = Fnv::new();
    hash.number(u64::from(frame.width)).number(u64::from(frame.height));
    match &rule.condition {
        Condition::Presence { zone } => hash.number(1).points(zone),
        Condition::LineCrossing { a, b, direction } => hash.number(2).points(&[*a, *b]).number(*direction as u64),
        Condition::Dwell { zone, duration } => hash.number(3).points(zone).number(duration.as_micros() as u64),
        Condition::Count { zone, at_least } => hash.number(4).points(zone).number(u64::from(*at_least)),
    };
    for class in rule.classes.iter() {
        hash.number(u64::from(class.number()));
    }
    hash.float(rule.score.enter.get()).float(rule.score.stay.get());
    if let Some(size) = rule.size {
        hash.float(size.min_height).float(size.max_height);
    }
    hash.number(rule.min_duration.as_micros() as u64).number(rule.gap_tolerance.as_micros() as u64);
    if let Some(schedule) = &rule.schedule {
        hash.text(&schedule.time_zone);
        for window in &schedule.windows {
            hash.text(&window.from).text(&window.until).number(window.days.len() as u64);
            for day in &window.days {
                hash.number(*day as u64);
            }
        }
    }
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

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    fn points(&mut self, points: &[PixelPoint]) -> &mut Self {
        self.number(points.len() as u64);
        for point in points {
            self.float(point.x).float(point.y);
        }
        self
    }
}
