//! The values that every rule has, whatever its kind.

use vedette_core::{Span, ToParam};

use crate::limits::{A_DAY, LONGEST_COOLDOWN, LONGEST_GAP};
use crate::parameters::{ParamInfo, ParamType};

/// The values that every rule has besides the parameters of its kind, by their names in a policy (`score.enter`), in the order in which
/// an object has to satisfy them.
#[must_use]
pub fn common_params() -> Vec<ParamInfo> {
    let number = |name, doc: &str, default: f32| ParamInfo {
        name,
        doc: doc.to_owned(),
        param_type: ParamType::Number,
        default: Some(default.to_param()),
        limits: Some([0.0_f32.to_param(), 1.0_f32.to_param()]),
    };
    let span = |name, doc: &str, default: Span, most: Span| ParamInfo {
        name,
        doc: doc.to_owned(),
        param_type: ParamType::Duration,
        default: Some(default.to_param()),
        limits: Some([Span::ZERO.to_param(), most.to_param()]),
    };
    vec![
        number("score.enter", "Score from which an object starts to count.", 0.5),
        number("score.stay", "Score down to which it keeps counting.", 0.35),
        number("size.min_height", "Least height of its box, as a fraction of the frame's.", 0.0),
        number("size.max_height", "Greatest height of its box, as a fraction of the frame's.", 1.0),
        span("min_duration", "How long the condition must hold.", Span::from_millis(500), A_DAY),
        span("gap_tolerance", "How long the condition may fail in between.", Span::from_secs(1), LONGEST_GAP),
        span("cooldown", "How long the rule is silent after an alert.", Span::from_secs(30), LONGEST_COOLDOWN),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::RuleSet;

    fn policy(rule: &Value) -> vedette_core::Policy {
        let text =
            json!({"applies_to": {"camera": "c"}, "version": 1, "frame": {"width": 64, "height": 48}, "rule": [rule]});
        serde_json::from_value(text).unwrap()
    }

    /// The rule with a value under a name with dots.
    fn with(rule: &Value, name: &str, value: Value) -> Value {
        let mut rule = rule.clone();
        let pointer = format!("/{}", name.replace('.', "/"));
        *rule.pointer_mut(&pointer).unwrap() = value;
        rule
    }

    #[test]
    fn the_limits_are_those_of_the_check_and_the_defaults_those_of_a_rule() {
        let bare = json!({"id": "a", "name": "a", "purpose": "t",
            "when": {"kind": "presence", "zone": [[0, 0], [9, 0], [9, 9]]}, "size": {}});
        let rule = serde_json::to_value(&policy(&bare).rules[0]).unwrap();
        for info in common_params() {
            let [least, most] = info.limits.clone().unwrap();
            let value = rule.pointer(&format!("/{}", info.name.replace('.', "/"))).unwrap();
            let same = match info.param_type {
                ParamType::Duration => Some(value) == info.default.as_ref(),
                _ => (value.as_f64().unwrap() - info.default.unwrap().as_f64().unwrap()).abs() < 1e-6,
            };
            assert!(same, "{}", info.name);
            if info.param_type != ParamType::Duration {
                continue;
            }
            for (value, is_valid) in [(least, true), (most.clone(), true), (beyond(&most), false)] {
                let mistakes = RuleSet::mistakes_anywhere(&policy(&with(&rule, info.name, value.clone())));
                assert_eq!(mistakes.is_empty(), is_valid, "{} = {value}: {mistakes:?}", info.name);
            }
        }
    }

    fn beyond(most: &Value) -> Value {
        let span: Span = most.as_str().unwrap().parse().unwrap();
        Span::from_micros(span.as_micros() + 1).to_param()
    }
}
