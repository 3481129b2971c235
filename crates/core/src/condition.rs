use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::{Area, Direction, PixelPoint, RuleId, RuleKind, Segment, Span, Zone};

/// The condition of a rule: its kind and that kind's parameters, not validated yet. `rules` defines the parameters of each kind,
/// their limits and defaults.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// The kind.
    pub kind: RuleKind,
    /// The parameters by name.
    #[serde(flatten)]
    pub params: Params,
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut params = Map::deserialize(deserializer)?;
        let kind = params.remove("kind").ok_or_else(|| de::Error::missing_field("kind"))?;
        let kind =
            kind.as_str().ok_or_else(|| de::Error::custom(format!("`kind` is {kind}; it is the name of a kind")))?;
        Ok(Self { kind: kind.parse().map_err(de::Error::custom)?, params: Params::new(params) })
    }
}

/// Values by name. Two with the same values are equal, however each was written: a number is the same with or without a
/// decimal point.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Params(Map<String, Value>);

impl Params {
    /// The parameters in `values`.
    #[must_use]
    pub fn new(values: Map<String, Value>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name, plain(value))).collect())
    }

    /// Each name with its value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The value of that name as a `T`; none when it is missing or not a `T`.
    #[must_use]
    pub fn read<T: FromParam>(&self, name: &str) -> Option<T> {
        T::from_param(self.get(name)?).ok()
    }

    /// A copy with `value` under that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToParam) -> Self {
        self.0.insert(name.to_owned(), plain(value.to_param()));
        self
    }
}

/// A value that can be read from a parameter.
pub trait FromParam: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// Why the parameter is not such a value.
    fn from_param(value: &Value) -> Result<Self, String>;
}

/// A value that can be written as a parameter.
pub trait ToParam {
    /// Writes it.
    fn to_param(&self) -> Value;
}

macro_rules! by_serde {
    ($($type:ty),*) => {$(
        impl FromParam for $type {
            fn from_param(value: &Value) -> Result<Self, String> {
                <$type>::deserialize(value).map_err(|error| error.to_string())
            }
        }
    )*};
}

by_serde!(f32, u32, bool, Span, PixelPoint, Zone, Direction, Vec<Segment>, RuleId, Vec<RuleId>);

impl ToParam for f32 {
    /// The shortest decimal of this number: 0.3, not 0.30000001192092896.
    fn to_param(&self) -> Value {
        let number = self.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        plain(number.map_or(Value::Null, Value::Number))
    }
}

impl ToParam for Value {
    fn to_param(&self) -> Value {
        self.clone()
    }
}

impl ToParam for u32 {
    fn to_param(&self) -> Value {
        (*self).into()
    }
}

impl ToParam for bool {
    fn to_param(&self) -> Value {
        (*self).into()
    }
}

impl ToParam for Span {
    fn to_param(&self) -> Value {
        self.to_string().into()
    }
}

impl ToParam for PixelPoint {
    fn to_param(&self) -> Value {
        vec![self.x.to_param(), self.y.to_param()].into()
    }
}

impl ToParam for Direction {
    fn to_param(&self) -> Value {
        self.as_str().into()
    }
}

impl ToParam for RuleId {
    fn to_param(&self) -> Value {
        self.as_str().into()
    }
}

impl ToParam for Segment {
    fn to_param(&self) -> Value {
        let fields = [("a", self.a.to_param()), ("b", self.b.to_param()), ("direction", self.direction.to_param())];
        Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

impl<T: ToParam> ToParam for Vec<T> {
    fn to_param(&self) -> Value {
        self.iter().map(ToParam::to_param).collect()
    }
}

impl ToParam for Zone {
    fn to_param(&self) -> Value {
        match self {
            Self::Pixels(Area { outline, holes }) if holes.is_empty() => outline.to_param(),
            Self::Pixels(Area { outline, holes }) => {
                serde_json::json!({"pixels": outline.to_param(), "holes": holes.to_param()})
            }
            Self::Ground(_) => serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

/// The value with each whole number written as an integer.
fn plain(value: Value) -> Value {
    /// Whole numbers up to here are exact in 64-bit floating point.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT) {
            Some(float) => (float as i64).into(),
            None => Value::Number(number),
        },
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(values) => Value::Object(values.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Condition, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_condition_is_a_kind_and_whatever_else_is_written() {
        let condition = read(json!({"kind": "stopped", "reach": 0.3, "duration": "1m"})).unwrap();
        assert_eq!(condition.kind, RuleKind::named("stopped"));
        assert_eq!((condition.params.read("reach"), condition.params.read::<f32>("way")), (Some(0.3_f32), None));
        assert_eq!(condition.params.read("duration"), Some(Span::from_secs(60)));
        assert_eq!(
            serde_json::to_value(&condition).unwrap(),
            json!({"kind": "stopped", "reach": 0.3, "duration": "1m"})
        );
        assert!(read(json!({"reach": 1})).unwrap_err().contains("missing field `kind`"));
        assert!(read(json!({"kind": 5})).unwrap_err().contains("the name of a kind"));
    }

    #[test]
    fn the_same_numbers_are_equal_however_they_were_written() {
        let written = |value| read(json!({"kind": "x", "zone": [[value, 2.5]], "n": value})).unwrap();
        assert_eq!(written(json!(1)), written(json!(1.0)));
        assert_ne!(written(json!(1)), written(json!(1.5)));
        let params = Params::default().with("reach", 0.3_f32).with("n", 3_u32);
        assert_eq!(params, Params::new(json!({"reach": 0.3, "n": 3.0}).as_object().unwrap().clone()));
    }

    #[test]
    fn what_is_written_reads_back() {
        fn same<T: ToParam + FromParam + PartialEq + std::fmt::Debug>(value: T) {
            assert_eq!(Params::default().with("it", value.to_param()).read::<T>("it"), Some(value));
        }
        let point = PixelPoint::new(0.1, 400.7);
        same(0.1_f32);
        same(7_u32);
        same(Span::from_micros(1_500_001));
        same(vec![Segment { a: point, b: PixelPoint::new(3.0, 4.0), direction: Direction::RightToLeft }]);
        same(Zone::from(vec![point, point, point]));
        same(Zone::Pixels(Area { outline: vec![point; 3], holes: vec![vec![point; 3]] }));
        let corner = crate::GroundPoint::new(22.543_096_123_4, 114.057_865_432_1, 0.0).unwrap();
        same(Zone::Ground(Area { outline: vec![corner; 3], holes: Vec::new() }));
        same(RuleId::new("gate").unwrap());
    }
}
