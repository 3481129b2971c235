use serde::Serialize;

use crate::{AlertId, Span, Timestamp};

/// A violated rule: a stable code, typed arguments, and the English texts made from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The code, for example `policy.zone.corners`. It never changes its meaning.
    pub code: &'static str,
    /// The arguments of the texts, by name.
    pub arguments: Arguments,
    /// The rule.
    pub rule: String,
    /// The remedy; empty if the rule implies it.
    pub fix: String,
}

/// Named arguments of a text, in the order of its definition.
pub type Arguments = Vec<(&'static str, Argument)>;

/// An argument of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A number.
    Number(f64),
    /// A text; spans as in `30s`.
    Text(String),
    /// Words of a list.
    Words(Vec<String>),
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Words(words) => f.write_str(&words.join(", ")),
        }
    }
}

/// The definition of a violation, for documentation and translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViolationInfo {
    /// The code.
    pub code: &'static str,
    /// Names of the arguments.
    pub arguments: &'static [&'static str],
    /// The rule, with `{argument}`.
    pub rule: &'static str,
    /// The remedy, with `{argument}`; may be empty.
    pub fix: &'static str,
}

/// Words that a text joins with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl<T: Into<String>> FromIterator<T> for Words {
    fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl From<Words> for Argument {
    fn from(words: Words) -> Self {
        Self::Words(words.0)
    }
}

impl From<Span> for Argument {
    fn from(span: Span) -> Self {
        Self::Text(span.to_string())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Timestamp> for Argument {
    fn from(at: Timestamp) -> Self {
        Self::Text(at.to_string())
    }
}

impl From<AlertId> for Argument {
    fn from(id: AlertId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<f64> for Argument {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<f32> for Argument {
    /// The shortest decimal that reads as this number: 0.1 stays 0.1.
    fn from(number: f32) -> Self {
        Self::Number(number.to_string().parse().unwrap_or_else(|_| f64::from(number)))
    }
}

impl From<u32> for Argument {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Argument {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

/// Declares an enum of violations: `Variant { argument: type } = "code": "rule with {argument}", "remedy";`, where arguments and
/// remedy may be left out. Each variant becomes a [`Violation`](crate::Violation); `ALL` is the list of definitions.
#[macro_export]
macro_rules! violations {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($variant:ident $({ $($argument:ident: $type:ty),+ $(,)? })? = $code:literal: $rule:literal $(, $fix:literal)?;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis enum $name {
            $($variant $({ $($argument: $type),+ })?,)*
        }

        impl $name {
            /// The definition of each.
            $vis const ALL: &'static [$crate::ViolationInfo] = &[$($crate::ViolationInfo {
                code: $code,
                arguments: &[$($(stringify!($argument)),+)?],
                rule: $rule,
                fix: concat!($($fix)?),
            }),*];
        }

        impl From<$name> for $crate::Violation {
            fn from(violation: $name) -> Self {
                match violation {
                    $($name::$variant $({ $($argument),+ })? => Self {
                        code: $code,
                        rule: format!($rule),
                        fix: $crate::violations!(@text $($fix)?),
                        arguments: vec![$($((stringify!($argument), $argument.into())),+)?],
                    },)*
                }
            }
        }
    };
    (@text) => { String::new() };
    (@text $text:literal) => { format!($text) };
}

#[cfg(test)]
mod tests {
    use super::*;

    violations! {
        enum Sample {
            Plain = "sample.plain": "it is plain";
            Range { least: Span, most: f32, known: Words } = "sample.range": "give {least} to {most}", "one of {known}";
        }
    }

    #[test]
    fn the_texts_are_made_from_the_arguments() {
        let known = ["a", "b"].into_iter().collect();
        let violation = Violation::from(Sample::Range { least: Span::from_secs(1), most: 0.1, known });
        assert_eq!((violation.rule.as_str(), violation.fix.as_str()), ("give 1s to 0.1", "one of a, b"));
        let arguments: Vec<_> = violation.arguments.iter().map(|(_, it)| serde_json::to_value(it).unwrap()).collect();
        assert_eq!(serde_json::Value::from(arguments), serde_json::json!(["1s", 0.1, ["a", "b"]]));
        assert_eq!(Violation::from(Sample::Plain).fix, "");
        assert_eq!(Sample::ALL[1].arguments, ["least", "most", "known"]);
    }
}
