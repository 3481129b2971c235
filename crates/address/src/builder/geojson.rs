use std::fmt;

use geo::Geometry;
use geojson::{Feature, JsonValue};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::draft::Draft;
use super::fields::{Field, Has, Kind, Row};
use super::{BuildError, Reason, SourceCrs};

/// Reads the features of a collection one by one, so that a city's file need not fit into memory.
pub(super) fn add(
    draft: &mut Draft,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let table = draft.table(file, crs);
    let mut number = 0_u64;
    let mut take = |feature: Feature| {
        number += 1;
        take_feature(draft, (table, number), feature);
    };
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(1 << 18, reader));
    let read = Collection(&mut take).deserialize(&mut json).and_then(|()| json.end());
    match read {
        Err(error) => Err(BuildError::Unreadable { file: file.to_owned(), why: error.to_string() }),
        Ok(()) if number == 0 => Err(BuildError::Empty { file: file.to_owned() }),
        Ok(()) => Ok(()),
    }
}

fn take_feature(draft: &mut Draft, source: (u16, u64), feature: Feature) {
    let mut has = Has::default();
    let mut values: Vec<(usize, String)> = Vec::new();
    for (name, value) in feature.properties.unwrap_or_default() {
        let Some(field) = Field::of(&name) else { continue };
        let value = match value {
            JsonValue::String(text) => text,
            JsonValue::Number(number) => number.to_string(),
            _ => continue,
        };
        has.add(field);
        values.push((field, value));
    }
    let mut row = Row::EMPTY;
    values.iter().for_each(|(field, value)| row.set(*field, value));
    let raw = match feature.geometry.map(Geometry::<f64>::try_from).transpose() {
        Ok(raw) => raw,
        Err(error) => {
            let rule = format!("the geometry cannot be read: {error}");
            return draft.refuse(source, "geometry", row.subject(), Reason::BadGeometry, rule);
        }
    };
    let kind = has.kind(raw.is_some());
    if kind == Kind::Addresses && !has.has(Field::Code) && !has.has(Field::BuildingId) {
        let rule = "a feature has the property `GRIDCODE` (grid), `code` or `building_id` (building) or `road`";
        return draft.refuse(source, "properties", "", Reason::Unreadable, rule.to_owned());
    }
    draft.take(kind, source, &row, raw);
}

/// A FeatureCollection whose features are handed over while it is parsed.
struct Collection<F>(F);

impl<'de, F: FnMut(Feature)> DeserializeSeed<'de> for Collection<F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Feature)> Visitor<'de> for Collection<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FeatureCollection")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let (mut is_collection, mut has_features) = (false, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => is_collection = map.next_value::<String>()? == "FeatureCollection",
                "features" => {
                    map.next_value_seed(Features(&mut self.0))?;
                    has_features = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if is_collection && has_features { Ok(()) } else { Err(A::Error::custom("it is not a FeatureCollection")) }
    }
}

struct Features<'a, F>(&'a mut F);

impl<'de, F: FnMut(Feature)> DeserializeSeed<'de> for Features<'_, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Feature)> Visitor<'de> for Features<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut features: A) -> Result<(), A::Error> {
        while let Some(feature) = features.next_element::<Feature>()? {
            (self.0)(feature);
        }
        Ok(())
    }
}
