//! The parameters of a rule kind: one declaration defines type, parsing, limits, schema and documentation.

use serde_json::Value;
use vedette_core::{Direction, FromParam, Params, PixelPoint, RuleId, Segment, Span, ToParam, Zone};

use crate::found::Found;
use crate::policy_rule::PolicyRule;

/// The type of a parameter in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Corners as `[[x, y], ...]`, or a table with `pixels` or `ground`, and `holes`.
    Zone,
    /// A duration with its unit, for example `"30s"`.
    Duration,
    /// A number.
    Number,
    /// A whole number.
    Count,
    /// `true` or `false`.
    Flag,
    /// `[x, y]` in pixels of the policy's frame.
    Point,
    /// `left_to_right`, `right_to_left` or `both`.
    Direction,
    /// A list of `{ a, b, direction }`.
    Segments,
    /// The id of a rule of the same policy.
    Rule,
    /// Ids of rules of the same policy.
    Rules,
}

impl ParamType {
    /// Description of a value of this type, to complete "it is".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Zone => "a zone",
            Self::Duration => "a time with its unit, as \"30s\"",
            Self::Number => "a number",
            Self::Count => "a whole number",
            Self::Flag => "true or false",
            Self::Point => "a point [x, y] in pixels of the policy's frame",
            Self::Direction => "left_to_right, right_to_left or both",
            Self::Segments => "a list of segments { a, b, direction }",
            Self::Rule => "the id of a rule of this policy",
            Self::Rules => "a list of ids of rules of this policy",
        }
    }
}

/// One parameter of a rule kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamInfo {
    /// Its name in the policy.
    pub name: &'static str,
    /// Its meaning, with its unit, in English.
    pub doc: String,
    /// Its type.
    pub param_type: ParamType,
    /// Its default; without one it is mandatory.
    pub default: Option<Value>,
    /// Minimum and maximum.
    pub limits: Option<[Value; 2]>,
}

/// A value of a parameter.
pub(crate) trait Parameter: ToParam {
    /// The zone, if it is one.
    fn zone(&self) -> Option<&Zone> {
        None
    }

    /// The ids of the rules in it.
    fn rules(&self) -> &[RuleId] {
        &[]
    }
}

/// A type of parameter.
pub(crate) trait Typed: Parameter + FromParam {
    const TYPE: ParamType;
}

/// A parameter with a minimum and a maximum.
pub(crate) trait Limited: Typed + PartialOrd + std::fmt::Display {
    /// The violation of a value outside.
    fn out_of_range(least: &Self, most: &Self) -> PolicyRule;
}

/// The parameters of one kind. Implemented by [`parameters!`].
pub(crate) trait Parameters: Sized {
    /// The documentation of the kind, line by line, in Markdown.
    const DOC: &'static [&'static str];

    /// Each parameter.
    fn params() -> Vec<ParamInfo>;

    /// Parses the parameters of a policy. All errors are recorded; none when a parameter cannot be parsed.
    fn read(given: &Params, found: &mut Found) -> Option<Self>;

    /// Records each value outside its limits.
    fn check_limits(&self, found: &mut Found);

    /// Each name with its value.
    fn values(&self) -> Vec<(&'static str, &dyn Parameter)>;
}

macro_rules! parameter_types {
    ($($type:ty => $name:ident;)*) => {$(
        impl Typed for $type {
            const TYPE: ParamType = ParamType::$name;
        }
    )*};
}

parameter_types! {
    Zone => Zone;
    Span => Duration;
    f32 => Number;
    u32 => Count;
    bool => Flag;
    PixelPoint => Point;
    Direction => Direction;
    Vec<Segment> => Segments;
    RuleId => Rule;
    Vec<RuleId> => Rules;
}

impl Parameter for Zone {
    fn zone(&self) -> Option<&Zone> {
        Some(self)
    }
}

impl Parameter for RuleId {
    fn rules(&self) -> &[RuleId] {
        std::slice::from_ref(self)
    }
}

impl Parameter for Vec<RuleId> {
    fn rules(&self) -> &[RuleId] {
        self
    }
}

impl Parameter for Span {}
impl Parameter for f32 {}
impl Parameter for u32 {}
impl Parameter for bool {}
impl Parameter for PixelPoint {}
impl Parameter for Direction {}
impl Parameter for Vec<Segment> {}

impl Limited for Span {
    fn out_of_range(least: &Self, most: &Self) -> PolicyRule {
        PolicyRule::Span { least: *least, most: *most }
    }
}

impl Limited for f32 {
    fn out_of_range(least: &Self, most: &Self) -> PolicyRule {
        PolicyRule::Number { least: (*least).into(), most: (*most).into() }
    }
}

impl Limited for u32 {
    fn out_of_range(least: &Self, most: &Self) -> PolicyRule {
        PolicyRule::Number { least: (*least).into(), most: (*most).into() }
    }
}

/// Parses one parameter, or uses its default.
pub(crate) fn read<T: Typed>(given: &Params, name: &str, default: Option<T>, found: &mut Found) -> Option<T> {
    let expected = || T::TYPE.words().to_owned();
    match given.get(name) {
        Some(value) => match T::from_param(value) {
            Ok(value) => return Some(value),
            Err(reason) => found.add_when(name, value, PolicyRule::WrongType { expected: expected(), reason }),
        },
        None if default.is_none() => found.add_when(name, "", PolicyRule::Missing { expected: expected() }),
        None => return default,
    }
    None
}

/// Records each given parameter that is not of the kind.
pub(crate) fn refuse_unknown(given: &Params, known: &[ParamInfo], found: &mut Found) {
    for (name, value) in given.iter().filter(|(name, _)| known.iter().all(|param| param.name != *name)) {
        let violation = match known {
            [] => PolicyRule::NoParameters,
            _ => PolicyRule::UnknownParameter { known: known.iter().map(|param| param.name).collect() },
        };
        found.add_when(name, value, violation);
    }
}

pub(crate) fn check_limits<T: Limited>(name: &str, value: &T, [least, most]: &[T; 2], found: &mut Found) {
    if !(least..=most).contains(&value) {
        found.add_when(name, value, T::out_of_range(least, most));
    }
}

/// Declares the parameters of a rule kind: `name: type [least => most] = default;`, where the limits and the default are optional.
/// The comments are the documentation for users.
macro_rules! parameters {
    (
        $(#[doc = $doc:literal])+
        pub(crate) struct $kind:ident {
            $($(#[doc = $param_doc:literal])+ $param:ident: $type:ty $([$least:expr => $most:expr])? $(= $default:expr)?;)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct $kind {
            $($(#[doc = $param_doc])+ pub(crate) $param: $type,)*
        }

        impl $crate::parameters::Parameters for $kind {
            const DOC: &'static [&'static str] = &[$($doc),+];

            fn params() -> Vec<$crate::ParamInfo> {
                vec![$($crate::ParamInfo {
                    name: stringify!($param),
                    doc: [$($param_doc),+].concat().trim().to_owned(),
                    param_type: <$type as $crate::parameters::Typed>::TYPE,
                    default: $crate::parameters::parameters!(@default $type $(= $default)?),
                    limits: $crate::parameters::parameters!(@limits $type $([$least => $most])?),
                }),*]
            }

            fn read(given: &vedette_core::Params, found: &mut $crate::found::Found) -> Option<Self> {
                $crate::parameters::refuse_unknown(given, &Self::params(), found);
                $(let $param = $crate::parameters::read::<$type>(
                    given,
                    stringify!($param),
                    $crate::parameters::parameters!(@value $($default)?),
                    found,
                );)*
                Some(Self { $($param: $param?),* })
            }

            fn check_limits(&self, found: &mut $crate::found::Found) {
                let _ = &found;
                $($($crate::parameters::check_limits(
                    stringify!($param),
                    &self.$param,
                    &[$least, $most],
                    found,
                );)?)*
            }

            fn values(&self) -> Vec<(&'static str, &dyn $crate::parameters::Parameter)> {
                vec![$((stringify!($param), &self.$param)),*]
            }
        }
    };
    (@value) => { None };
    (@value $default:expr) => { Some($default) };
    (@default $type:ty) => { None };
    (@default $type:ty = $default:expr) => { Some(<$type as vedette_core::ToParam>::to_param(&$default)) };
    (@limits $type:ty) => { None };
    (@limits $type:ty [$least:expr => $most:expr]) => {
        Some([
            <$type as vedette_core::ToParam>::to_param(&$least),
            <$type as vedette_core::ToParam>::to_param(&$most),
        ])
    };
}

pub(crate) use parameters;
