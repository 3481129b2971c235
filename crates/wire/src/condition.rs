//! The condition of a rule on the bus: kind and parameters.

use prost_types::value::Kind as Json;
use serde_json::{Map, Number, Value};
use vedette_core::{Condition, Params};

use crate::{WireError, legacy_condition, pb};

/// Deepest nesting of a parameter: a zone with holes has four levels.
const DEEPEST: usize = 16;

pub(crate) fn pb_params(params: &Params) -> prost_types::Struct {
    prost_types::Struct { fields: params.iter().map(|(name, value)| (name.to_owned(), pb_value(value))).collect() }
}

fn pb_value(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Json::NullValue(0),
        Value::Bool(flag) => Json::BoolValue(*flag),
        Value::Number(number) => Json::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Json::StringValue(text.clone()),
        Value::Array(values) => {
            Json::ListValue(prost_types::ListValue { values: values.iter().map(pb_value).collect() })
        }
        Value::Object(values) => Json::StructValue(prost_types::Struct {
            fields: values.iter().map(|(name, value)| (name.clone(), pb_value(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

/// The condition of a rule: its kind and parameters, or the format of earlier versions.
pub(crate) fn condition(rule: &mut pb::Rule) -> Result<Condition, WireError> {
    if rule.kind.is_empty() {
        let when = rule.when.take().ok_or(WireError::missing("rules.kind"))?;
        return legacy_condition::condition(when, rule.zone.take());
    }
    let kind = rule.kind.parse().map_err(|error| WireError::invalid("rules.kind", error))?;
    let fields = rule.params.take().unwrap_or_default().fields;
    let params = fields.into_iter().map(|(name, value)| Ok((name, self::value(value, DEEPEST)?)));
    Ok(Condition { kind, params: Params::new(params.collect::<Result<Map<_, _>, WireError>>()?) })
}

fn value(value: prost_types::Value, depth: usize) -> Result<Value, WireError> {
    let refuse = |rule: &str| WireError::invalid("rules.params", rule);
    let depth = depth.checked_sub(1).ok_or_else(|| refuse("it is nested more than 16 deep"))?;
    Ok(match value.kind.ok_or_else(|| refuse("a value is missing"))? {
        Json::NullValue(_) => Value::Null,
        Json::BoolValue(flag) => Value::Bool(flag),
        Json::NumberValue(number) => {
            Value::Number(Number::from_f64(number).ok_or_else(|| refuse("a number is not finite"))?)
        }
        Json::StringValue(text) => Value::String(text),
        Json::ListValue(list) => {
            list.values.into_iter().map(|it| self::value(it, depth)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Json::StructValue(table) => {
            let fields = table.fields.into_iter().map(|(name, it)| Ok((name, self::value(it, depth)?)));
            Value::Object(fields.collect::<Result<Map<_, _>, WireError>>()?)
        }
    })
}
