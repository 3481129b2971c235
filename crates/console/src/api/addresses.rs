use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_alerts::json::AddressJson;
use vedette_core::{AddressCode, AddressPrefix, GroundPoint};

use super::{App, Shared};
use crate::addresses::{AddressSource, BaseReport, EntityJson, HitJson};
use crate::api_rule::ApiRule;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

const USUAL_HITS: usize = 10;
const MOST_HITS: usize = 50;
const MOST_TEXT: usize = 200;
/// Largest error of a point in metres: beyond it an address is meaningless.
const MOST_ERROR_M: f32 = 2_000.0;

/// A text or a point.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `Question` reads them")]
pub(crate) struct AddressQuery {
    /// A text to search for, at most 200 characters: an address in any of its forms, a name, a door plate, a code.
    q: Option<String>,
    /// With `q`: most results, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<u32>,
    /// Degrees north of a point, WGS 84.
    #[param(example = 22.531)]
    lat: Option<f64>,
    /// Degrees east of a point, WGS 84.
    #[param(example = 113.938)]
    lon: Option<f64>,
    /// With `lat` and `lon`: radius in metres within which the point lies with about 95 %, 0 to 2000; 1 when absent.
    #[param(minimum = 0, maximum = 2000)]
    error_m: Option<f32>,
}

/// The matches of a text, or the address at a point.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddressAnswer {
    /// Version of the base; null when there is none.
    #[schema(required = true)]
    base_version: Option<String>,
    /// The matches of the text, best first; empty without a match, and for a point.
    hits: Vec<HitJson>,
    /// The address at the point; null when none is near, and for a text.
    #[schema(required = true)]
    at: Option<AddressJson>,
}

/// A parsed query.
#[derive(Debug, PartialEq)]
enum Question {
    Text(String, usize),
    Point(GroundPoint),
}

/// Addresses by text or at a point
#[utoipa::path(get, path = "/api/v1/addresses", tag = "addresses", operation_id = "findAddresses", params(AddressQuery),
    responses(
        (status = 200, description = "The matches, possibly none", body = AddressAnswer),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn find(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<AddressAnswer>, Problem> {
    let question = question(query.as_deref())?;
    let answer = with_addresses(&app, move |addresses| {
        let base_version = addresses.report().current.map(|served| served.version);
        let (hits, at) = match question {
            Question::Text(text, at_most) => (addresses.search(&text, at_most), None),
            Question::Point(point) => (Vec::new(), addresses.resolve(&point).as_ref().map(AddressJson::from)),
        };
        // The base may have changed in between: the address names its own.
        let base_version = at.as_ref().map(|at: &AddressJson| at.base_version.clone()).or(base_version);
        AddressAnswer { base_version, hits, at }
    });
    answer.await.map(Json)
}

/// The entity of a code
///
/// A district, street, community, grid, building or room, by the significant part of its code or by a whole code, padded with `*`
/// or not. A former code leads to the entity that replaced its own.
#[utoipa::path(get, path = "/api/v1/addresses/{code}", tag = "addresses", operation_id = "getAddress",
    params(("code" = String, Path, description = "6, 9, 12, 14, 19 or 25 characters")),
    responses(
        (status = 200, description = "The entity in the base in force", body = EntityJson),
        (status = 400, description = "Not a code", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "The base has no such entity", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    PathText(code): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<EntityJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let prefix = prefix(&code)?;
    let asked = prefix.clone();
    let entity = with_addresses(&app, move |addresses| addresses.entity(&asked)).await?;
    entity.map(Json).ok_or_else(|| {
        let (level, code) = (prefix.level().as_str().to_owned(), prefix.to_string());
        Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoEntity { level, code })
    })
}

/// The address base in force
#[utoipa::path(get, path = "/api/v1/addresses/base", tag = "addresses", operation_id = "getAddressBase",
    responses((status = 200, description = "The version in force, past and announced ones, and the last refusal", body = BaseReport)))]
pub(crate) async fn base(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<BaseReport>, Problem> {
    Params::read(query.as_deref(), &[])?;
    with_addresses(&app, |addresses| addresses.report()).await.map(Json)
}

/// Runs `work` on the base off the async threads.
async fn with_addresses<T: Send + 'static>(
    app: &Shared,
    work: impl FnOnce(&dyn AddressSource) -> T + Send + 'static,
) -> Result<T, Problem> {
    let addresses = app.parts.addresses.clone();
    let done = tokio::task::spawn_blocking(move || work(&*addresses)).await;
    done.map_err(|error| Problem::internal("asking the address base", &error))
}

/// The significant part of a code.
fn prefix(text: &str) -> Result<AddressPrefix, Problem> {
    let refused = match text.parse::<AddressPrefix>() {
        Ok(prefix) => return Ok(prefix),
        Err(refused) => refused,
    };
    let padded = text.parse::<AddressCode>().ok().and_then(|code| code.prefix(code.level()));
    padded.ok_or_else(|| Problem::parameter("code", text, ApiRule::Code { reason: refused.to_string() }))
}

fn question(query: Option<&str>) -> Result<Question, Problem> {
    let params = Params::read(query, &["q", "limit", "lat", "lon", "error_m"])?;
    let number = |name| params.parse::<f64>(name, ApiRule::number("a number"));
    match (params.text("q"), number("lat")?, number("lon")?) {
        (Some(text), None, None) => {
            refuse(&params, "error_m", "`lat` and `lon`")?;
            if text.chars().count() > MOST_TEXT {
                return Err(Problem::parameter("q", text, ApiRule::Length { most: MOST_TEXT }));
            }
            let limit = params.parse::<usize>("limit", ApiRule::number("a number from 1 to 50"))?.unwrap_or(USUAL_HITS);
            if !(1..=MOST_HITS).contains(&limit) {
                return Err(Problem::parameter("limit", limit, ApiRule::Range { least: 1.0, most: MOST_HITS as f64 }));
            }
            Ok(Question::Text(text.to_owned(), limit))
        }
        (None, Some(latitude), Some(longitude)) => {
            refuse(&params, "limit", "`q`")?;
            let error_m = params.parse::<f32>("error_m", ApiRule::number("metres"))?.unwrap_or(1.0);
            if !(0.0..=MOST_ERROR_M).contains(&error_m) {
                let rule = ApiRule::Range { least: 0.0, most: MOST_ERROR_M.into() };
                return Err(Problem::parameter("error_m", error_m, rule));
            }
            GroundPoint::new(latitude, longitude, error_m)
                .map(Question::Point)
                .map_err(|error| Problem::parameter("lat", latitude, ApiRule::Place { reason: error.to_string() }))
        }
        (text, latitude, _) => {
            let name = if text.is_some() || latitude.is_none() { "lat" } else { "lon" };
            let rule = match text {
                Some(_) => ApiRule::TextAndPoint,
                None => ApiRule::NeitherTextNorPoint,
            };
            Err(Problem::parameter(name, params.text(name).unwrap_or_default(), rule))
        }
    }
}

fn refuse(params: &Params, name: &str, other: &str) -> Result<(), Problem> {
    match params.text(name) {
        Some(value) => Err(Problem::parameter(name, value, ApiRule::GoesWith { other: other.to_owned() })),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_or_a_point_is_asked_and_nothing_between() {
        assert_eq!(question(Some("q=%E5%90%88%E6%88%90")).unwrap(), Question::Text("合成".into(), 10));
        assert_eq!(
            question(Some("lat=22.5&lon=113.9&error_m=3")).unwrap(),
            Question::Point(GroundPoint::new(22.5, 113.9, 3.0).unwrap())
        );
        for (query, parameter) in [
            (None, "lat"),
            (Some("lat=22.5"), "lon"),
            (Some("lon=113.9"), "lat"),
            (Some("q=a&lat=22.5&lon=113.9"), "lat"),
            (Some("q=a&error_m=1"), "error_m"),
            (Some("q=a&limit=51"), "limit"),
            (Some("lat=22.5&lon=113.9&limit=3"), "limit"),
            (Some("lat=113.9&lon=22.5"), "lat"),
            (Some("lat=a&lon=22.5"), "lat"),
            (Some("lat=22.5&lon=113.9&error_m=-1"), "error_m"),
            (Some("lat=22.5&lon=113.9&error_m=NaN"), "error_m"),
        ] {
            let problem = serde_json::to_value(question(query).unwrap_err()).unwrap();
            assert_eq!(problem["parameter"], parameter, "{query:?}: {problem}");
        }
    }

    #[test]
    fn a_code_may_be_padded() {
        let named = |text: &str| prefix(text).unwrap().as_str().to_owned();
        assert_eq!(named("44030400100101***********"), "44030400100101");
        assert_eq!(named("4403040010010100001******"), "4403040010010100001");
        assert_eq!(named("440304"), "440304");
        assert!(prefix("4403").is_err() && prefix("44030400100101*****000001").is_err() && prefix("*").is_err());
    }
}
