use geo::Geometry;
use geojson::{FeatureCollection, GeoJson, JsonValue};

use super::draft::{Draft, Row, Source};
use super::geometry::{Placed, Refused, place};
use super::{BuildError, BuilderOptions, Reason, SourceCrs};

pub(super) fn add(
    draft: &mut Draft,
    options: &BuilderOptions,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let unreadable = |why: String| BuildError::Unreadable { file: file.to_owned(), why };
    let parsed = GeoJson::from_reader(reader).map_err(|error| unreadable(error.to_string()))?;
    let GeoJson::FeatureCollection(FeatureCollection { features, .. }) = parsed else {
        return Err(unreadable("it is no FeatureCollection".to_owned()));
    };
    if features.is_empty() {
        return Err(BuildError::Empty { file: file.to_owned() });
    }
    for (number, feature) in (1_u64..).zip(features) {
        let source = Source { file: file.into(), line: number, crs: crs.clone() };
        let properties = feature.properties.unwrap_or_default();
        let property = |name: &str| {
            let found = properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            match found {
                Some(JsonValue::String(text)) => text.trim().to_owned(),
                Some(JsonValue::Number(number)) => number.to_string(),
                _ => String::new(),
            }
        };
        let row = Row::new(property);
        match geometry(feature.geometry, crs, options) {
            Err((reason, rule)) => {
                let named = [&row.grid_code, &row.code, &row.building_id].into_iter().find(|code| !code.is_empty());
                let value = named.cloned().unwrap_or_default();
                draft.refuse(&source, "geometry", &value, reason, rule);
            }
            Ok(placed) if !row.grid_code.is_empty() => draft.add_grid(source, row, placed),
            Ok(placed) if !row.code.is_empty() || !row.building_id.is_empty() => draft.add_address(source, row, placed),
            Ok(_) => {
                let rule = "a feature has the property `GRIDCODE` (grid), `code` or `building_id` (building)";
                draft.refuse(&source, "properties", "", Reason::Unreadable, rule.to_owned());
            }
        }
    }
    Ok(())
}

fn geometry(
    found: Option<geojson::Geometry>,
    crs: &SourceCrs,
    options: &BuilderOptions,
) -> Result<Option<Placed>, Refused> {
    let Some(found) = found else { return Ok(None) };
    let raw = Geometry::<f64>::try_from(found)
        .map_err(|error| (Reason::BadGeometry, format!("the geometry cannot be read: {error}")))?;
    place(raw, crs, options).map(Some)
}
