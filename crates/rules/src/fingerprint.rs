use serde_json::Value;
use vedette_core::{DailyWindow, FrameSize, PixelPoint, Rule, Schedule, Span};

use crate::ground::Ground;
use crate::kinds::AnyKind;

/// Pixels of the frame, as parts of its sides, that stand for a calibration.
const PROBES: [(f32, f32); 4] = [(0.25, 0.6), (0.75, 0.6), (0.25, 0.9), (0.75, 0.9)];

/// Hash of the settings of a rule that decide when it raises, the same on every machine: open episodes continue
/// under a new policy when it is unchanged. Name, purpose, severity and cooldowns are not part of it. `ground` is that of a rule
/// that needs one.
pub(crate) fn fingerprint(rule: &Rule, kind: &AnyKind, frame: FrameSize, ground: Option<&dyn Ground>) -> u64 {
    let mut hash = Fnv::new();
    hash.number(u64::from(frame.width)).number(u64::from(frame.height));
    hash.text(rule.condition.kind.as_str());
    // The rules that a combination names are included with their own fingerprints.
    for (name, value) in kind.values().into_iter().filter(|(_, value)| value.rules().is_empty()) {
        hash.text(name).value(&value.to_param());
    }
    if let Some(ground) = ground {
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

/// The fingerprint of a combination: its own settings and those of the rules it is made of.
pub(crate) fn combined(own: u64, terms: impl Iterator<Item = u64>) -> u64 {
    let mut hash = Fnv(own);
    terms.for_each(|term| {
        hash.number(term);
    });
    hash.0
}

/// FNV-1a, 64 bits: small, and stable, unlike the standard library's hashes.
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

    /// A parameter.
    fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.number(0),
            Value::Bool(flag) => self.number(1).number(u64::from(*flag)),
            Value::Number(number) => self.number(2).number(number.as_f64().unwrap_or_default().to_bits()),
            Value::String(text) => self.number(3).text(text),
            Value::Array(values) => {
                values.iter().fold(self.number(4).number(values.len() as u64), |hash, value| hash.value(value))
            }
            Value::Object(values) => {
                let hash = self.number(5).number(values.len() as u64);
                values.iter().fold(hash, |hash, (name, value)| hash.text(name).value(value))
            }
        }
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
