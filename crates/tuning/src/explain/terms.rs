//! The values of a rule that can be loosened or tightened, in the order in which an object has to satisfy them.

use serde_json::{Value, json};
use vedette_core::{FrameSize, ObjectClass, Policy, Rule, Span, ToParam};
use vedette_rules::{ParamInfo, ParamType, RuleKindInfo, Subject, common_params};

use crate::draft::Term;

/// Length of a step of durations, in microseconds.
const SPAN_STEP: f64 = 100_000.0;
/// Step of fractions.
const FRACTION_STEP: f64 = 0.001;

/// A value of a rule.
#[derive(Debug)]
pub(super) struct Knob {
    pub(super) term: Term,
    pub(super) meaning: String,
    pub(super) in_force: Value,
    pub(super) scale: Scale,
}

/// The other values.
#[derive(Debug)]
pub(super) enum Scale {
    /// Numbers, counts and durations.
    Ordered {
        grid: Grid,
        /// The side on which values are looser; none where that depends on the kind.
        looser: Option<Side>,
    },
    /// One that is looser, or at least another one.
    Other(Option<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Lower,
    Higher,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Lower, Self::Higher];

    const fn opposite(self) -> Self {
        match self {
            Self::Lower => Self::Higher,
            Self::Higher => Self::Lower,
        }
    }
}

impl Scale {
    /// The sides on which to look for a looser or for a stricter value.
    pub(super) fn sides(&self, looser: bool) -> Vec<(&Grid, Side)> {
        match self {
            Self::Ordered { grid, looser: Some(side) } => {
                vec![(grid, if looser { *side } else { side.opposite() })]
            }
            Self::Ordered { grid, looser: None } => Side::BOTH.map(|side| (grid, side)).to_vec(),
            Self::Other(_) => Vec::new(),
        }
    }
}

/// Values in even steps around the one in force, up to a least and a greatest one.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    now: f64,
    step: f64,
    limits: [f64; 2],
    limit_values: [Value; 2],
    param_type: ParamType,
}

impl Grid {
    fn new(info: &ParamInfo, now: &Value) -> Option<Self> {
        let limit_values = info.limits.clone()?;
        let number = |value: &Value| match info.param_type {
            ParamType::Duration => Some(value.as_str()?.parse::<Span>().ok()?.as_micros() as f64),
            ParamType::Number | ParamType::Count => value.as_f64(),
            _ => None,
        };
        let limits = [number(&limit_values[0])?, number(&limit_values[1])?];
        let now = number(now)?;
        let step = match info.param_type {
            ParamType::Duration => SPAN_STEP,
            ParamType::Count => 1.0,
            // Scores and sizes, and what may be 0.
            _ if limits[1] <= 1.0 || now <= 0.0 => FRACTION_STEP,
            _ => 10_f64.powf(now.log10().floor() - 2.0),
        };
        Some(Self { now, step, limits, limit_values, param_type: info.param_type })
    }

    /// How many steps there are up to the limit.
    pub(super) fn steps(&self, side: Side) -> u64 {
        let first = self.first(side) * self.step;
        let room = match side {
            Side::Lower if self.now > self.limits[0] => (first - self.limits[0]) / self.step,
            Side::Higher if self.now < self.limits[1] => (self.limits[1] - first) / self.step,
            _ => return 0,
        };
        (room - 1e-3).ceil().max(0.0) as u64 + 1
    }

    /// The number of the nearest value of the grid.
    fn first(&self, side: Side) -> f64 {
        let at = self.now / self.step;
        let at = if (at - at.round()).abs() < 1e-3 { at.round() } else { at };
        match side {
            Side::Lower => at.ceil() - 1.0,
            Side::Higher => at.floor() + 1.0,
        }
    }

    /// The value so many steps away.
    pub(super) fn value(&self, side: Side, steps: u64) -> Value {
        if steps >= self.steps(side) {
            return self.limit_values[usize::from(side == Side::Higher)].clone();
        }
        let away = steps as f64 - 1.0;
        let number = self.step * (self.first(side) + if side == Side::Lower { -away } else { away });
        match self.param_type {
            ParamType::Duration => Span::from_micros(number.round() as i64).to_param(),
            ParamType::Count => (number.round() as u64).into(),
            _ => {
                let digits = (-self.step.log10()).ceil().max(0.0) as usize;
                format!("{number:.digits$}").parse::<f64>().map_or(Value::Null, Value::from)
            }
        }
    }
}

/// The values of a rule for objects of a class.
pub(super) fn knobs(policy: &Policy, rule: &Rule, kind: &RuleKindInfo, class: Option<ObjectClass>) -> Vec<Knob> {
    let knob = |path: &[&str], meaning: &str, scale: &dyn Fn(&Value) -> Option<Scale>| {
        let term = Term::new(&rule.id, path);
        let in_force = plain(term.value(policy).unwrap_or(Value::Null));
        let scale = scale(&in_force)?;
        Some(Knob { term, meaning: meaning.to_owned(), in_force, scale })
    };
    let has_objects = matches!(kind.info.subject, Subject::Object | Subject::Zone);
    let mut knobs = Vec::new();
    if has_objects {
        let classes = |now: &Value| Some(Scale::Other(class.and_then(|class| with_class(now, class))));
        knobs.extend(knob(&["classes"], "The classes of objects that count.", &classes));
    }
    let (of_objects, of_time): (Vec<_>, Vec<_>) = common_params().into_iter().partition(|info| info.name.contains('.'));
    if has_objects {
        knobs.extend(of_objects.iter().filter_map(|info| common(policy, rule, info)));
    }
    if rule.schedule.is_some() {
        let always = |_: &Value| Some(Scale::Other(Some(Value::Null)));
        knobs.extend(knob(&["schedule"], "When the rule is armed; null for always.", &always));
    }
    for info in &kind.params {
        let scale = |now: &Value| match info.param_type {
            ParamType::Zone => Some(Scale::Other(Some(whole(policy.frame)))),
            ParamType::Direction => Some(Scale::Other((*now != "both").then(|| json!("both")))),
            ParamType::Flag => Some(Scale::Other(now.as_bool().map(|flag| json!(!flag)))),
            _ => Some(Scale::Ordered { grid: Grid::new(info, now)?, looser: None }),
        };
        knobs.extend(knob(&["when", info.name], &info.doc, &scale));
    }
    knobs.extend(of_time.iter().filter_map(|info| common(policy, rule, info)));
    if rule.place_cooldown.is_some() {
        let info = of_time.iter().find(|info| info.name == "cooldown");
        let scale = |now: &Value| Some(Scale::Ordered { grid: Grid::new(info?, now)?, looser: Some(Side::Lower) });
        let meaning = "How long the rule is silent near the place of an alert.";
        knobs.extend(knob(&["place_cooldown", "time"], meaning, &scale));
    }
    knobs
}

/// One of the values that every rule has.
fn common(policy: &Policy, rule: &Rule, info: &ParamInfo) -> Option<Knob> {
    let term = Term::new(&rule.id, &info.name.split('.').collect::<Vec<_>>());
    let in_force = plain(term.value(policy).or_else(|| info.default.clone())?);
    let looser = if matches!(info.name, "size.max_height" | "gap_tolerance") { Side::Higher } else { Side::Lower };
    let scale = Scale::Ordered { grid: Grid::new(info, &in_force)?, looser: Some(looser) };
    Some(Knob { term, meaning: info.doc.clone(), in_force, scale })
}

/// Numbers of 32 bits as a person writes them: 0.3, not 0.30000001192092896.
fn plain(value: Value) -> Value {
    match &value {
        Value::Number(number) if !number.is_u64() => number.as_f64().map_or(value, |number| (number as f32).to_param()),
        _ => value,
    }
}

fn with_class(classes: &Value, class: ObjectClass) -> Option<Value> {
    let mut classes = classes.as_array()?.clone();
    let class = json!(class.as_str());
    if classes.contains(&class) {
        return None;
    }
    classes.push(class);
    Some(classes.into())
}

/// The whole picture as a zone.
fn whole(FrameSize { width, height }: FrameSize) -> Value {
    json!([[0, 0], [width, 0], [width, height], [0, height]])
}
