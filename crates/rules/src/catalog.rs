//! The rule kinds as data: for the API, the configuration's schema and the documentation.

use serde_json::{Map, Value, json};
use vedette_core::{RuleKind, ViolationInfo};

use crate::definition::KindInfo;
use crate::kinds;
use crate::mask::MaskRule;
use crate::parameters::{ParamInfo, ParamType};
use crate::policy_rule::PolicyRule;

/// A rule kind with its parameters and documentation.
#[derive(Debug, Clone)]
pub struct RuleKindInfo {
    /// Its facts.
    pub info: &'static KindInfo,
    /// Its documentation, one paragraph of Markdown.
    pub doc: String,
    /// Its parameters.
    pub params: Vec<ParamInfo>,
}

/// Every rule kind, in the order of the documentation.
pub fn rule_kinds() -> impl ExactSizeIterator<Item = RuleKindInfo> {
    kinds::ALL.iter().map(|entry| RuleKindInfo {
        info: entry.info,
        doc: entry.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"),
        params: (entry.params)(),
    })
}

/// The facts of a kind; none for a kind that this version does not have.
#[must_use]
pub fn rule_kind(name: RuleKind) -> Option<&'static KindInfo> {
    kinds::find(name).map(|entry| entry.info)
}

/// The definitions of all validation errors of policies.
#[must_use]
pub fn violations() -> Vec<ViolationInfo> {
    let of_kinds = kinds::ALL.iter().flat_map(|kind| kind.violations);
    PolicyRule::ALL.iter().chain(of_kinds).chain(MaskRule::ALL).copied().collect()
}

impl RuleKindInfo {
    /// The JSON Schema of `when` in a policy.
    #[must_use]
    pub fn schema(&self) -> Value {
        let name = self.info.name.as_str();
        let mut properties = Map::from_iter([("kind".to_owned(), json!({"const": name}))]);
        let mut required = vec!["kind"];
        for param in &self.params {
            properties.insert(param.name.to_owned(), param.schema());
            if param.default.is_none() {
                required.push(param.name);
            }
        }
        json!({
            "title": name,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// Its section of docs/RULES.md.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.info.name, self.doc);
        if !self.params.is_empty() {
            text += "| parameter | default | meaning | limits |\n| --- | --- | --- | --- |\n";
            for param in &self.params {
                let default = param.default.as_ref().map(plain).unwrap_or_default();
                let limits = param.limits.as_ref().map(|[least, most]| format!("{} to {}", plain(least), plain(most)));
                let limits = limits.unwrap_or_default();
                text += &format!("| `{}` | {default} | {} | {limits} |\n", param.name, param.doc);
            }
            text += "\n";
        }
        let measures = self.info.measures.iter().map(|measure| format!("`{}`", measure.quantity));
        text += &format!("Measured: {}. ", measures.collect::<Vec<_>>().join(" or "));
        text += &match self.info.onvif_topic {
            Some(topic) => format!("ONVIF `tns1:{topic}`; "),
            None => "ONVIF has no topic for it; ".to_owned(),
        };
        let gbt = self.info.gbt28181;
        text += &match gbt.alarm_type {
            Some(alarm_type) => format!("GB/T 28181 method {}, type {alarm_type}. ", gbt.method),
            None => format!("GB/T 28181 method {}, without type. ", gbt.method),
        };
        if let Some(code) = self.info.event_code {
            text += &format!("GA/T 2000.254 event {code}. ");
        }
        text + &format!("{} ({}).\n", self.info.title.en, self.info.title.zh)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        other => other.to_string(),
    }
}

impl ParamInfo {
    /// The JSON Schema of its value.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = self.param_type.schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), self.doc.clone().into());
            schema.extend(self.default.clone().map(|default| ("default".to_owned(), default)));
            if let Some([least, most]) = &self.limits {
                // JSON Schema bounds numbers only; a duration is text.
                let [minimum, maximum] = match least {
                    Value::Number(_) => ["minimum", "maximum"],
                    _ => ["x-minimum", "x-maximum"],
                };
                schema.insert(minimum.to_owned(), least.clone());
                schema.insert(maximum.to_owned(), most.clone());
            }
        }
        schema
    }
}

impl ParamType {
    fn schema(self) -> Value {
        let point = json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2});
        let ring = json!({"type": "array", "items": point, "minItems": 3});
        let corner = json!({
            "type": "object",
            "properties": {"latitude": {"type": "number"}, "longitude": {"type": "number"}},
            "required": ["latitude", "longitude"],
            "additionalProperties": false,
        });
        let ground = json!({"type": "array", "items": corner, "minItems": 3});
        let table = |name: &str, ring: &Value| {
            json!({
                "type": "object",
                "properties": {name: ring, "holes": {"type": "array", "items": ring}},
                "required": [name],
                "additionalProperties": false,
            })
        };
        let direction = json!({"enum": vedette_core::Direction::ALL.map(vedette_core::Direction::as_str)});
        match self {
            Self::Zone => json!({"anyOf": [ring, table("pixels", &ring), table("ground", &ground)], "format": "zone"}),
            Self::Duration => json!({"type": "string", "format": "duration", "examples": ["30s", "1500ms", "5m"]}),
            Self::Number => json!({"type": "number"}),
            Self::Count => json!({"type": "integer"}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Point => point,
            Self::Direction => direction,
            Self::Segments => json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"a": point, "b": point, "direction": direction},
                    "required": ["a", "b"],
                    "additionalProperties": false,
                },
            }),
            Self::Rule => json!({"type": "string", "format": "rule-id"}),
            Self::Rules => json!({"type": "array", "items": {"type": "string", "format": "rule-id"}}),
        }
    }
}
