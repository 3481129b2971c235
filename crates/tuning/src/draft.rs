use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use vedette_core::{Policy, RuleId};
use vedette_rules::RuleSet;

/// One value in a rule: `RULE.PATH`, with the names of the policy file, such as `gate.score.enter` or `gate.when.duration`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// The rule.
    pub rule: RuleId,
    /// The names on the way to the value.
    pub path: Vec<String>,
}

/// The text names no value of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no value of a rule; write RULE.PATH as in a policy file, such as gate.score.enter or gate.when.duration"
)]
pub struct TermError(String);

/// Why a value cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The policy has no such rule.
    #[error("the policy has no rule `{rule}`; it has {known}")]
    NoRule {
        /// The rule.
        rule: RuleId,
        /// Those it has.
        known: String,
    },
    /// The rule has no such value, or the value is of another type.
    #[error("{term} = {value}: {why}")]
    Value {
        /// The term.
        term: String,
        /// The value.
        value: String,
        /// Which rule it breaks.
        why: String,
    },
}

impl FromStr for Term {
    type Err = TermError;

    /// Ids of rules may contain dots: the path begins at the first name that a rule has.
    fn from_str(text: &str) -> Result<Self, TermError> {
        let wrong = || TermError(text.chars().take(80).collect());
        let names: Vec<&str> = text.split('.').collect();
        let begin = names.iter().skip(1).position(|name| FIELDS.contains(name)).ok_or_else(wrong)? + 1;
        if names.len() - begin > DEEPEST {
            return Err(wrong());
        }
        let rule = RuleId::new(&names[..begin].join(".")).map_err(|_| wrong())?;
        Ok(Self { rule, path: names[begin..].iter().map(|&name| name.to_owned()).collect() })
    }
}

/// Most names on the way to a value: no rule has values deeper in it.
const DEEPEST: usize = 8;

/// The names with a value that can be tuned.
const FIELDS: [&str; 7] = ["when", "score", "size", "min_duration", "gap_tolerance", "cooldown", "place_cooldown"];

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.rule, self.path.join("."))
    }
}

impl Term {
    /// A term of a rule.
    #[must_use]
    pub fn new(rule: &RuleId, path: &[&str]) -> Self {
        Self { rule: rule.clone(), path: path.iter().map(|&name| name.to_owned()).collect() }
    }

    /// Its value in a policy; none when the rule has none.
    #[must_use]
    pub fn value(&self, policy: &Policy) -> Option<Value> {
        let rule = policy.rules.iter().find(|rule| rule.id == self.rule)?;
        let mut value = serde_json::to_value(rule).ok()?;
        for name in &self.path {
            value = value.get_mut(name)?.take();
        }
        (!value.is_null()).then_some(value)
    }

    /// The policy with other values, see [`Term::set`].
    ///
    /// # Errors
    /// When the policy has no such rule, or the rule no such value.
    pub fn set_all(policy: &Policy, values: &[(Self, Value)]) -> Result<Policy, DraftError> {
        values.iter().try_fold(policy.clone(), |policy, (term, value)| term.set(&policy, value))
    }

    /// The policy with another value. A score of `enter` below `stay` takes `stay` with it. Whether a camera can use the policy is not
    /// checked.
    ///
    /// # Errors
    /// When the policy has no such rule, or the rule no such value.
    pub fn set(&self, policy: &Policy, value: &Value) -> Result<Policy, DraftError> {
        let known = || policy.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
        let index = policy.rules.iter().position(|rule| rule.id == self.rule);
        let index = index.ok_or_else(|| DraftError::NoRule { rule: self.rule.clone(), known: known() })?;
        let refuse = |why: String| DraftError::Value { term: self.to_string(), value: value.to_string(), why };
        let mut rule = serde_json::to_value(&policy.rules[index]).map_err(|error| refuse(error.to_string()))?;
        let mut place = &mut rule;
        for name in &self.path {
            if place.is_null() {
                *place = Value::Object(serde_json::Map::new());
            }
            let object = place.as_object_mut().ok_or_else(|| refuse(format!("there is no `{name}` in it")))?;
            place = object.entry(name.clone()).or_insert(Value::Null);
        }
        *place = value.clone();
        if self.path == ["score", "enter"]
            && let (Some(enter), Some(stay)) = (value.as_f64(), rule["score"]["stay"].as_f64())
            && enter < stay
        {
            rule["score"]["stay"] = value.clone();
        }
        let mut draft = policy.clone();
        draft.rules[index] = serde_json::from_value(rule).map_err(|error| refuse(error.to_string()))?;
        Ok(RuleSet::complete(draft))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vedette_core::Span;

    use super::*;

    fn policy() -> Policy {
        let text = r#"{"applies_to": {"camera": "gate"}, "version": 1, "frame": {"width": 640, "height": 480}, "rule": [
            {"id": "north.gate", "name": "Gate", "purpose": "safety", "score": {"enter": 0.5, "stay": 0.4},
             "when": {"kind": "dwell", "zone": [[0, 0], [9, 0], [9, 9]], "duration": "5s"}}]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_value_is_set_by_its_name_in_the_policy_file() {
        let set = |term: &str, value: Value| term.parse::<Term>().unwrap().set(&policy(), &value);
        let term: Term = "north.gate.when.duration".parse().unwrap();
        assert_eq!((term.rule.as_str(), term.to_string().as_str()), ("north.gate", "north.gate.when.duration"));
        let draft = term.set(&policy(), &json!("8s")).unwrap();
        assert_eq!(draft.rules[0].condition.params.read("duration"), Some(Span::from_secs(8)));
        assert_eq!(term.value(&policy()), Some(json!("5s")));
        let draft = set("north.gate.score.enter", json!(0.3)).unwrap();
        assert!((draft.rules[0].score.stay.get() - 0.3).abs() < 1e-6, "stay follows");
        let draft = set("north.gate.size.min_height", json!(0.25)).unwrap();
        assert_eq!(draft.rules[0].size.map(|size| (size.min_height, size.max_height)), Some((0.25, 1.0)));
    }

    #[test]
    fn a_value_that_no_rule_has_is_refused_by_name() {
        assert!("gate".parse::<Term>().unwrap_err().to_string().contains("`gate`"));
        assert!(format!("gate.when{}", ".a".repeat(100_000)).parse::<Term>().is_err());
        for (term, value, words) in [
            ("south.score.enter", json!(0.3), "no rule `south`; it has north.gate"),
            ("north.gate.score.entr", json!(0.3), "unknown field `entr`"),
            ("north.gate.score.enter", json!(1.5), "north.gate.score.enter = 1.5"),
            ("north.gate.min_duration", json!("soon"), "soon"),
            ("north.gate.min_duration.x", json!("1s"), "no `x`"),
        ] {
            let said = term.parse::<Term>().unwrap().set(&policy(), &value).unwrap_err().to_string();
            assert!(said.contains(words), "{term}: {said}");
        }
    }
}
