use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_access::Areas;

use super::App;
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson};
use crate::{CameraSummary, GeometryJson, MapArea, MapCentre, MapSource};

/// Largest width and height of an area in degrees: some 20 km.
const MAX_SIDE: f64 = 0.2;

/// The cameras and the initial view of the map.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CameraList {
    /// The cameras, by id.
    cameras: Vec<CameraSummary>,
    /// Initial centre of the map; null when nothing has a place.
    #[schema(required = true)]
    centre: Option<MapCentre>,
}

/// A `GeoJSON` feature collection (RFC 7946).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer; `features` passes it on")]
pub(crate) struct FeatureCollection {
    /// `FeatureCollection`.
    #[schema(rename = "type")]
    kind: CollectionType,
    /// The features that intersect the area.
    features: Vec<Feature>,
    /// Whether the limit cut the result.
    truncated: bool,
}

/// `FeatureCollection`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer")]
pub(crate) enum CollectionType {
    FeatureCollection,
}

/// `Feature`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer")]
pub(crate) enum FeatureType {
    Feature,
}

/// A `GeoJSON` feature.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer")]
pub(crate) struct Feature {
    /// `Feature`.
    #[schema(rename = "type")]
    kind: FeatureType,
    /// Its outline.
    geometry: GeometryJson,
    /// The properties, as described for the operation.
    properties: BTreeMap<String, String>,
}

/// An area of the map.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameter; `area` reads it")]
pub(crate) struct AreaQuery {
    /// `west,south,east,north` in degrees, WGS 84, at most 0.2 degrees wide and high.
    #[param(example = "113.94,22.53,113.95,22.54")]
    bbox: String,
}

/// The cameras
#[utoipa::path(get, path = "/api/v1/cameras", tag = "map", operation_id = "listCameras",
    responses((status = 200, description = "The cameras", body = CameraList)))]
pub(crate) async fn cameras(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<CameraList>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let map = app.parts.map.clone();
    let list = move || {
        let sees = |camera: &CameraSummary| {
            let code = camera.address.as_deref().and_then(|code| code.parse().ok());
            allowed.areas.has_code(code.as_ref()) || camera.groups.iter().any(|group| allowed.areas.has_group(group))
        };
        let cameras: Vec<CameraSummary> = map.cameras().into_iter().filter(sees).collect();
        // That of the whole site would tell where the others are.
        let centre = if allowed.areas == Areas::Everywhere { map.centre() } else { mean(&cameras) };
        CameraList { cameras, centre }
    };
    let list = tokio::task::spawn_blocking(list).await;
    list.map(Json).map_err(|error| Problem::internal("listing cameras", &error))
}

fn mean(cameras: &[CameraSummary]) -> Option<MapCentre> {
    let count = cameras.len() as f64;
    let mean = |of: fn(&CameraSummary) -> f64| cameras.iter().map(of).sum::<f64>() / count;
    (!cameras.is_empty())
        .then(|| MapCentre { latitude: mean(|camera| camera.latitude), longitude: mean(|camera| camera.longitude) })
}

/// Buildings of the address base (`GeoJSON`)
#[utoipa::path(get, path = "/api/v1/map/footprints", tag = "map", operation_id = "getFootprints", params(AreaQuery),
    responses(
        (status = 200, description = "A feature collection (RFC 7946); features have the properties `code` and `text`. \
            `truncated` says that there are more than fit",
            body = FeatureCollection, content_type = "application/geo+json"),
        (status = 400, description = "`bbox` breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn footprints(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    features(&app, query.as_deref(), |map, area, at_most| map.footprints(area, at_most)).await
}

/// Basic grids of the address base (`GeoJSON`)
#[utoipa::path(get, path = "/api/v1/map/grids", tag = "map", operation_id = "getGrids", params(AreaQuery),
    responses(
        (status = 200, description = "A feature collection (RFC 7946); features have the properties `code` and `text`. \
            `truncated` says that there are more than fit",
            body = FeatureCollection, content_type = "application/geo+json"),
        (status = 400, description = "`bbox` breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn grids(State(app): State<App>, RawQuery(query): RawQuery) -> Result<impl IntoResponse, Problem> {
    features(&app, query.as_deref(), |map, area, at_most| map.grids(area, at_most)).await
}

/// Roads of the address base (`GeoJSON`)
#[utoipa::path(get, path = "/api/v1/map/roads", tag = "map", operation_id = "getRoads", params(AreaQuery),
    responses(
        (status = 200, description = "A feature collection (RFC 7946) of lines; features have the property `name`. \
            `truncated` says that there are more than fit; it is empty when the base has no roads",
            body = FeatureCollection, content_type = "application/geo+json"),
        (status = 400, description = "`bbox` breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn roads(State(app): State<App>, RawQuery(query): RawQuery) -> Result<impl IntoResponse, Problem> {
    features(&app, query.as_deref(), |map, area, at_most| map.roads(area, at_most)).await
}

/// The features that `read` returns for the requested area; reads one more than the limit to detect a cut.
async fn features(
    app: &App,
    query: Option<&str>,
    read: fn(&dyn MapSource, MapArea, usize) -> serde_json::Value,
) -> Result<impl IntoResponse + use<>, Problem> {
    let area = area(query)?;
    let (map, at_most) = (app.parts.map.clone(), app.settings.max_footprints);
    let text = tokio::task::spawn_blocking(move || {
        let mut found = read(&*map, area, at_most + 1);
        let truncated = found["features"].as_array_mut().is_some_and(|features| {
            let more = features.len() > at_most;
            features.truncate(at_most);
            more
        });
        found["truncated"] = truncated.into();
        found.to_string()
    });
    let text = text.await.map_err(|error| Problem::internal("reading the map", &error))?;
    Ok(([(header::CONTENT_TYPE, "application/geo+json")], text))
}

fn area(query: Option<&str>) -> Result<MapArea, Problem> {
    let params = Params::read(query, &["bbox"])?;
    let text = params.text("bbox").unwrap_or_default();
    let refuse = |reason: &str| Problem::parameter("bbox", text, ApiRule::Area { reason: reason.to_owned() });
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
    let Ok([west, south, east, north]) = numbers.as_deref() else {
        return Err(refuse("it is not four numbers"));
    };
    let area = MapArea { west: *west, south: *south, east: *east, north: *north };
    let in_range = [area.west, area.east].iter().all(|it| (-180.0..=180.0).contains(it))
        && [area.south, area.north].iter().all(|it| (-90.0..=90.0).contains(it));
    if !in_range {
        return Err(refuse("longitudes are -180 to 180 and latitudes -90 to 90 (swapped?)"));
    }
    if area.west >= area.east || area.south >= area.north {
        return Err(refuse("west must be less than east, and south less than north"));
    }
    if area.east - area.west > MAX_SIDE || area.north - area.south > MAX_SIDE {
        return Err(refuse("it is wider or higher than 0.2 degrees"));
    }
    Ok(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_four_numbers_in_order_and_small() {
        assert_eq!(
            area(Some("bbox=113.94,22.53,113.95,22.54")).unwrap(),
            MapArea { west: 113.94, south: 22.53, east: 113.95, north: 22.54 }
        );
        for (query, rule) in [
            (None, "four numbers"),
            (Some("bbox=1,2,3"), "four numbers"),
            (Some("bbox=a,2,3,4"), "four numbers"),
            (Some("bbox=NaN,2,3,4"), "swapped"),
            (Some("bbox=22.53,113.94,22.54,113.95"), "swapped"),
            (Some("bbox=113.95,22.53,113.94,22.54"), "less than"),
            (Some("bbox=113,22,114,23"), "0.2 degrees"),
        ] {
            let problem = serde_json::to_string(&area(query).unwrap_err()).unwrap();
            assert!(problem.contains(rule), "{query:?}: {problem}");
        }
    }
}
