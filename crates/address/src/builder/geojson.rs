//! Features of GeoJSON files.

use std::fmt;

use geo::Geometry;
use geojson::{GeometryValue, Position};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Number, Value};

use super::cells::{BadCell, Cells};
use super::draft::{Draft, Source};
use super::encoding::Text;
use super::features::{Features, Piece, without_position};
use super::fields::{Field, Has, Kind};
use super::{BuildError, Reason, SourceCrs};

/// Whole numbers below it are exact in floating point: 2 to the power of 53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads the features of a collection one by one.
pub(super) fn add(
    draft: &mut Draft,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let table = draft.table(file, crs);
    let mut number = 0_u64;
    let mut features = Features::new(Text::new(reader, draft.encoding));
    let unreadable = |why: String| BuildError::Unreadable { file: file.to_owned(), why };
    while let Some(piece) = features.next().map_err(unreadable)? {
        match piece {
            Piece::Feature(bytes) => {
                number += 1;
                let source = (table, number);
                if let Err((field, value, reason, rule)) = take(draft, source, bytes) {
                    draft.refuse(source, field, &value, reason, rule);
                }
            }
            Piece::Lost { features, why } => {
                for _ in 0..features {
                    number += 1;
                    let rule = format!("the feature is not well formed: {why}");
                    draft.refuse((table, number), "feature", "", Reason::Unreadable, rule);
                }
            }
        }
    }
    if number == 0 {
        draft.note_empty(file);
    }
    draft.note_encoding(file, features.foreign());
    Ok(())
}

#[derive(Deserialize)]
struct Feature {
    #[serde(rename = "type")]
    _kind: FeatureType,
    properties: Option<Properties>,
    geometry: Option<geojson::Geometry>,
}

#[derive(Deserialize)]
enum FeatureType {
    Feature,
}

/// Properties in their order, also those that are there twice.
struct Properties(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Properties(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn take(draft: &mut Draft, source: Source, bytes: &[u8]) -> Result<(), BadCell> {
    let unreadable = |field, rule: String| (field, String::new(), Reason::Unreadable, rule);
    let feature: Feature = serde_json::from_slice(bytes)
        .map_err(|error| unreadable("feature", format!("the feature cannot be read: {}", without_position(&error))))?;
    let mut has = Has::default();
    let mut values: Vec<(usize, String, String)> = Vec::new();
    for (name, value) in feature.properties.map(|properties| properties.0).unwrap_or_default() {
        let Some(field) = Field::of(&name) else { continue };
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => text_of(&number),
            _ => continue,
        };
        if let Some((_, twin, _)) = values.iter().find(|(known, ..)| *known == field) {
            let rule = format!("two properties stand for `{}`: `{twin}` and `{name}`", Field::name_of(field));
            return Err(unreadable("properties", rule));
        }
        has.add(field);
        values.push((field, name, value));
    }
    let cells = Cells::read(values.iter().map(|(field, _, value)| (*field, value.as_str())))?;
    let row = cells.row();
    let raw = feature.geometry.map(shape).transpose().map_err(|why| {
        let rule = format!("the geometry cannot be read: {why}");
        ("geometry", row.subject().to_owned(), Reason::BadGeometry, rule)
    })?;
    let kind = has.kind(raw.is_some());
    if kind == Kind::Addresses && !has.has(Field::Code) && !has.has(Field::BuildingId) {
        let rule = "a feature has the property `GRIDCODE` (grid), `code` or `building_id` (building) or `road`";
        return Err(unreadable("properties", rule.to_owned()));
    }
    draft.take(kind, source, &row, raw);
    Ok(())
}

fn shape(geometry: geojson::Geometry) -> Result<Geometry<f64>, String> {
    if !has_whole_positions(&geometry.value) {
        return Err("a position is two numbers, longitude and latitude".to_owned());
    }
    Geometry::try_from(geometry).map_err(|error| error.to_string())
}

/// The conversion takes for granted that a position has two numbers.
fn has_whole_positions(geometry: &GeometryValue) -> bool {
    let is_whole = |position: &Position| position.len() >= 2;
    match geometry {
        GeometryValue::Point { coordinates } => is_whole(coordinates),
        GeometryValue::MultiPoint { coordinates } | GeometryValue::LineString { coordinates } => {
            coordinates.iter().all(is_whole)
        }
        GeometryValue::MultiLineString { coordinates } | GeometryValue::Polygon { coordinates } => {
            coordinates.iter().flatten().all(is_whole)
        }
        GeometryValue::MultiPolygon { coordinates } => coordinates.iter().flatten().flatten().all(is_whole),
        GeometryValue::GeometryCollection { geometries } => {
            geometries.iter().all(|geometry| has_whole_positions(&geometry.value))
        }
    }
}

/// A number as a table has it: a whole one without a fraction, one whose digits were lost with its exponent.
fn text_of(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < EXACT => format!("{value:.0}"),
        Some(value) if number.is_f64() && value.abs() >= EXACT => format!("{value:E}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_at_least_two_numbers() {
        let read = |geometry: &str| serde_json::from_str(geometry).map_err(|error| error.to_string()).and_then(shape);
        for (kind, before, after) in [
            ("Point", "", ""),
            ("MultiPoint", "[[1,2],", "]"),
            ("LineString", "[[1,2],", "]"),
            ("MultiLineString", "[[[1,2],[2,2]],[[1,2],", "]]"),
            ("Polygon", "[[[1,2],[2,2],[2,1],", "]]"),
            ("MultiPolygon", "[[[[1,2],[2,2],[2,1],", "]]]"),
        ] {
            for (position, is_whole) in [("[]", false), ("[1]", false), ("[1,2]", true), ("[1,2,3]", true)] {
                let geometry = format!(r#"{{"type":"{kind}","coordinates":{before}{position}{after}}}"#);
                assert_eq!(read(&geometry).is_ok(), is_whole, "{geometry}");
                let within = format!(r#"{{"type":"GeometryCollection","geometries":[{geometry}]}}"#);
                assert_eq!(read(&within).is_ok(), is_whole, "{within}");
            }
        }
    }
}
