use std::sync::OnceLock;

use axum::Json;
use axum::extract::RawQuery;
use serde::Serialize;
use utoipa::ToSchema;
use vedette_rules::{KindInfo, Measure, RuleKindInfo, Subject, Text};

use crate::params::Params;
use crate::problem::{Problem, ProblemJson};

/// A rule kind of this version.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "RuleKind")]
pub(crate) struct RuleKindJson {
    /// Its name in policies, alerts and filters.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", example = "line_crossing")]
    name: &'static str,
    /// Its title.
    title: TextJson,
    /// One sentence that says when it raises an alert.
    sentence: TextJson,
    /// `object` for one alert per object, `zone` for one alert for all objects of the zone, `rules` for combinations, `camera` for
    /// the camera itself.
    subject: SubjectJson,
    /// Whether its alerts are instantaneous.
    instantaneous: bool,
    /// Whether it needs a calibrated camera, also with a zone in pixels.
    needs_calibration: bool,
    /// The quantities that its alerts may carry in `why`.
    measures: Vec<MeasureJson>,
    /// The JSON Schema of `when` in a policy.
    #[schema(value_type = Object)]
    schema: serde_json::Value,
    /// Its documentation, Markdown in English.
    documentation: String,
    /// The ONVIF event topic of the same meaning; null where ONVIF has none.
    #[schema(example = "tns1:RuleEngine/LineDetector/Crossed", required = true)]
    onvif_topic: Option<String>,
    /// The GB/T 28181 alarm.
    gbt28181: Gbt28181Json,
    /// The event type of GA/T 2000.254-2019, two digits; null where none is confirmed.
    #[schema(example = "05")]
    event_code: Option<String>,
}

/// The subject of an alert of a kind.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(title = "Subject")]
pub(crate) enum SubjectJson {
    Object,
    Zone,
    Rules,
    Camera,
}

/// A text in English and in Chinese.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Text")]
pub(crate) struct TextJson {
    /// English.
    en: &'static str,
    /// Chinese, simplified.
    zh: &'static str,
}

/// A measured quantity.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Measure")]
pub(crate) struct MeasureJson {
    /// Its name, as in `why.quantity`.
    quantity: &'static str,
    /// The unit, to follow the number.
    unit: TextJson,
    /// Whether the threshold is a maximum, not a minimum.
    at_most: bool,
}

/// An alarm of GB/T 28181.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Gbt28181")]
pub(crate) struct Gbt28181Json {
    /// Alarm method.
    method: u8,
    /// Alarm type within the method; null where the method has none.
    #[schema(required = true)]
    alarm_type: Option<u8>,
}

/// The rule kinds, with the schema of their parameters
#[utoipa::path(get, path = "/api/v1/rule-kinds", tag = "rules", operation_id = "listRuleKinds",
    responses(
        (status = 200, description = "Every kind of this version", body = Vec<RuleKindJson>),
        (status = 400, description = "A parameter is given", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(RawQuery(query): RawQuery) -> Result<Json<&'static [RuleKindJson]>, Problem> {
    static KINDS: OnceLock<Vec<RuleKindJson>> = OnceLock::new();
    Params::read(query.as_deref(), &[])?;
    Ok(Json(KINDS.get_or_init(|| vedette_rules::rule_kinds().map(RuleKindJson::from).collect())))
}

impl From<RuleKindInfo> for RuleKindJson {
    fn from(kind: RuleKindInfo) -> Self {
        let schema = kind.schema();
        let info: &'static KindInfo = kind.info;
        Self {
            name: info.name.as_str(),
            title: info.title.into(),
            sentence: info.sentence.into(),
            subject: info.subject.into(),
            instantaneous: info.instantaneous,
            needs_calibration: info.needs_ground,
            measures: info.measures.iter().map(MeasureJson::from).collect(),
            schema,
            documentation: kind.doc,
            onvif_topic: info.onvif_topic.map(|topic| format!("tns1:{topic}")),
            gbt28181: Gbt28181Json { method: info.gbt28181.method, alarm_type: info.gbt28181.alarm_type },
            event_code: info.event_code.map(|code| code.to_string()),
        }
    }
}

impl From<Subject> for SubjectJson {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Object => Self::Object,
            Subject::Zone => Self::Zone,
            Subject::Rules => Self::Rules,
            Subject::Camera => Self::Camera,
        }
    }
}

impl From<&'static Measure> for MeasureJson {
    fn from(measure: &'static Measure) -> Self {
        Self { quantity: measure.quantity.as_str(), unit: measure.unit.into(), at_most: measure.at_most }
    }
}

impl From<Text> for TextJson {
    fn from(Text { en, zh }: Text) -> Self {
        Self { en, zh }
    }
}
