use std::collections::BTreeMap;

use serde::Deserialize;
use vedette_core::{
    CameraId, Condition, FrameSize, Params, PixelPoint, Policy, PolicyScope, Rule, RuleId, RuleKind, Span, Zone,
};

use crate::EvalError;

/// The rules of labelled clips in a compact form: a JSON object with a list for each clip.
pub type SceneRules = BTreeMap<String, Vec<SceneRule>>;

/// One rule of a clip. Times are in seconds, places in pixels of the clip.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneRule {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    a: Option<[f32; 2]>,
    b: Option<[f32; 2]>,
    /// Left, top, right, bottom.
    rect: Option<[f32; 4]>,
    zone: Option<Vec<[f32; 2]>>,
    #[serde(default)]
    min_s: f64,
    gap_s: Option<f64>,
    dwell_s: Option<f64>,
    n: Option<u32>,
}

/// Default gap tolerance of a condition.
const GAP_S: f64 = 0.5;

/// Parses rules in the compact form.
///
/// # Errors
/// When the text has another form.
pub fn read_scene_rules(text: &str) -> Result<SceneRules, EvalError> {
    serde_json::from_str(text).map_err(|error| EvalError::Labels { what: "rules".to_owned(), rule: error.to_string() })
}

impl SceneRule {
    /// The policy of these rules for a clip of size `frame`. Without cooldowns: every event counts.
    ///
    /// # Errors
    /// When a rule lacks a parameter of its kind.
    pub fn policy(clip: &str, rules: &[Self], frame: FrameSize) -> Result<Policy, EvalError> {
        let refuse = |error: &dyn std::fmt::Display| EvalError::Labels {
            what: format!("rules of {clip}"),
            rule: error.to_string(),
        };
        let camera = CameraId::new(clip).map_err(|error| refuse(&error))?;
        let rules = rules
            .iter()
            .map(|rule| rule.compile().map_err(|rule_error| refuse(&format!("{}: {rule_error}", rule.id))))
            .collect::<Result<_, _>>()?;
        Ok(Policy {
            applies_to: PolicyScope::Camera(camera),
            version: 1,
            effective_from: Default::default(),
            frame,
            rules,
        })
    }

    fn compile(&self) -> Result<Rule, String> {
        let missing = |key: &str| format!("a rule of type {} needs \"{key}\"", self.kind);
        let point = |[x, y]: [f32; 2]| PixelPoint::new(x, y);
        let zone = || {
            let rect = self.rect.map(|[l, t, r, b]| vec![[l, t], [r, t], [r, b], [l, b]]);
            let corners = self.zone.clone().or(rect).ok_or_else(|| missing("zone\" or \"rect"))?;
            Ok::<_, String>(Zone::from(corners.into_iter().map(point).collect::<Vec<_>>()))
        };
        let condition = |kind, params| Condition { kind: RuleKind::named(kind), params };
        let condition = match self.kind.as_str() {
            "line" => {
                let a = point(self.a.ok_or_else(|| missing("a"))?);
                let b = point(self.b.ok_or_else(|| missing("b"))?);
                condition("line_crossing", Params::default().with("a", a).with("b", b))
            }
            "intrusion" => condition("presence", Params::default().with("zone", zone()?)),
            "dwell" => {
                let duration = span(self.dwell_s.ok_or_else(|| missing("dwell_s"))?);
                condition("dwell", Params::default().with("zone", zone()?).with("duration", duration))
            }
            "count" => {
                let at_least = self.n.ok_or_else(|| missing("n"))?;
                condition("count", Params::default().with("zone", zone()?).with("at_least", at_least))
            }
            other => return Err(format!("`{other}` is not a valid type; write line, intrusion, dwell or count")),
        };
        let base = serde_json::json!({"id": self.id, "name": self.id, "purpose": "evaluation",
            "when": {"kind": "line_crossing", "a": [0, 0], "b": [1, 0]}, "cooldown": "0s"});
        let base: Rule = serde_json::from_value(base).map_err(|error| error.to_string())?;
        Ok(Rule {
            condition,
            id: RuleId::new(&self.id).map_err(|error| error.to_string())?,
            min_duration: span(self.min_s),
            gap_tolerance: span(self.gap_s.unwrap_or(GAP_S)),
            ..base
        })
    }
}

fn span(seconds: f64) -> Span {
    Span::from_micros((seconds.max(0.0) * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_rules_become_a_policy() {
        let frame = FrameSize { width: 100, height: 80 };
        let text = r#"{"gate": [{"id": "l", "type": "line", "a": [5, 0], "b": [5, 80]},
            {"id": "d", "type": "dwell", "rect": [0, 0, 10, 20], "dwell_s": 5.0, "gap_s": 1.0}]}"#;
        let policy = SceneRule::policy("gate", &read_scene_rules(text).unwrap()["gate"], frame).unwrap();
        assert_eq!(policy.rules[0].gap_tolerance, Span::from_millis(500));
        assert_eq!((policy.rules[0].cooldown, policy.rules[0].min_duration), (Span::ZERO, Span::ZERO));
        let Condition { kind, params } = &policy.rules[1].condition;
        let Some(Zone::Pixels(area)) = params.read("zone") else { panic!("{policy:?}") };
        assert_eq!((kind.as_str(), area.outline[2]), ("dwell", PixelPoint::new(10.0, 20.0)));
        assert_eq!(params.read("duration"), Some(Span::from_secs(5)));
    }

    #[test]
    fn what_a_rule_lacks_is_named() {
        let frame = FrameSize { width: 100, height: 80 };
        for (rule, expected) in [
            (r#"{"id": "l", "type": "line", "a": [5, 0]}"#, "rules of gate: l: a rule of type line needs \"b\""),
            (
                r#"{"id": "z", "type": "count", "n": 4}"#,
                "rules of gate: z: a rule of type count needs \"zone\" or \"rect\"",
            ),
            (
                r#"{"id": "z", "type": "zone"}"#,
                "rules of gate: z: `zone` is not a valid type; write line, intrusion, dwell or count",
            ),
        ] {
            let rules = read_scene_rules(&format!("{{\"gate\": [{rule}]}}")).unwrap();
            assert_eq!(SceneRule::policy("gate", &rules["gate"], frame).unwrap_err().to_string(), expected);
        }
        assert!(read_scene_rules("[]").unwrap_err().to_string().starts_with("rules: "));
    }
}
