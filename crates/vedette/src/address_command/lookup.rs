//! `vedette address lookup`: the address at a point, or of a code, a former code or a text.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use vedette_address::{AddressBase, AddressEntity, FormerCode};
use vedette_core::{AddressCode, AddressMatch, AddressPrefix, GroundPoint};
use vedette_runtime::clock;

use crate::cli::AddressLookupArgs;

/// Most hits of a text search.
const HITS: usize = 10;

/// Runs the command. The exit code is 2 without a result.
pub(super) fn run(args: &AddressLookupArgs) -> anyhow::Result<ExitCode> {
    let base = AddressBase::open(&args.base).with_context(|| format!("opening {}", args.base.display()))?;
    if let Some(point) = point(&args.query, args.error)? {
        return at_point(&base, &point, args.json);
    }
    let code = match (args.query.parse::<AddressPrefix>(), args.query.parse::<AddressCode>()) {
        (Ok(prefix), _) => Some(prefix),
        (_, Ok(code)) => code.prefix(code.level()),
        _ => None,
    };
    if let Some(code) = code {
        return of_code(&base, &code, args.json);
    }
    if args.query.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*') {
        // It was meant as a code: report its error.
        args.query.parse::<AddressCode>()?;
    }
    of_text(&base, &args.query, args.json)
}

fn answered(found: bool) -> ExitCode {
    if found { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// `LATITUDE,LONGITUDE` as a point; none for any other text.
fn point(text: &str, error_m: f32) -> anyhow::Result<Option<GroundPoint>> {
    let numbers = text.split_once(',').and_then(|(latitude, longitude)| {
        Some((latitude.trim().parse::<f64>().ok()?, longitude.trim().parse::<f64>().ok()?))
    });
    match numbers {
        Some((latitude, longitude)) => Ok(Some(GroundPoint::new(latitude, longitude, error_m)?)),
        None => Ok(None),
    }
}

fn at_point(base: &AddressBase, point: &GroundPoint, as_json: bool) -> anyhow::Result<ExitCode> {
    let found = base.resolve(point, clock::now());
    if as_json {
        crate::terminal::print_line!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(answered(found.is_some()));
    }
    match &found {
        Some(found) => print_match(found),
        None => crate::terminal::tell_line!("no match: no building is near, and no grid of the base covers the point"),
    }
    Ok(answered(found.is_some()))
}

fn print_match(found: &AddressMatch) {
    crate::terminal::print_line!("{:<10}{:<27}{:>10}{:>12}  TEXT", "LEVEL", "CODE", "METRES", "CONFIDENCE");
    for (level, candidate) in std::iter::once((found.level.as_str(), &found.best))
        .chain(found.alternatives.iter().map(|candidate| ("or", candidate)))
    {
        crate::terminal::print_line!(
            "{level:<10}{:<27}{:>10.1}{:>12.2}  {}",
            candidate.code,
            candidate.distance_m,
            candidate.confidence,
            candidate.text
        );
    }
    if found.ambiguous {
        crate::terminal::print_line!("ambiguous: the first two are nearly as likely");
    }
    if let Some(road) = &found.road {
        crate::terminal::print_line!("road      {:<27}{:>10.1}", road.name, road.distance_m);
    }
    if let Some(plate) = &found.plate {
        crate::terminal::print_line!(
            "plate     {:<27}{:>10.1}              {}",
            plate.code,
            plate.distance_m,
            plate.text
        );
    }
    for unit in &found.responsible {
        crate::terminal::print_line!("{:<20}{:<27}{}", unit.kind, unit.code, unit.name);
    }
    crate::terminal::print_line!("base {}{}", found.base_version, if found.synthetic { " (synthetic)" } else { "" });
}

fn of_code(base: &AddressBase, code: &AddressPrefix, as_json: bool) -> anyhow::Result<ExitCode> {
    let (former, entity) = match base.entity(code) {
        Some(entity) => (None, Some(entity)),
        None => {
            let former = base.former_code(code.as_str());
            let entity = former.as_ref().and_then(|former| base.entity(&former.code));
            (former, entity)
        }
    };
    match &entity {
        None => crate::terminal::tell_line!("no match: base {} has no entity {code}", base.version()),
        Some(entity) if as_json => print_entity_json(base, entity, former.as_ref())?,
        Some(entity) => print_entity(base, entity, former.as_ref()),
    }
    Ok(answered(entity.is_some()))
}

fn print_entity_json(base: &AddressBase, entity: &AddressEntity, former: Option<&FormerCode>) -> anyhow::Result<()> {
    let mut all = serde_json::to_value(entity)?;
    all["geometry"] = match &entity.geometry {
        Some(shape) => serde_json::to_value(geojson::Geometry::from(shape))?,
        None => serde_json::Value::Null,
    };
    all["names"] = json!(base.names(&entity.code));
    all["responsible"] = json!(base.responsible_for_entity(&entity.code));
    all["asked_by_former_code"] = json!(former);
    all["ended_on"] = json!(entity.ended_on(clock::now()));
    all["base_version"] = json!(base.version());
    crate::terminal::print_line!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}

fn print_entity(base: &AddressBase, entity: &AddressEntity, former: Option<&FormerCode>) {
    if let Some(former) = former {
        let when = former.changed.map_or_else(String::new, |day| format!(" on {day}"));
        crate::terminal::print_line!("{:<12}{:<27}was replaced{when} by:", "former code", former.former);
    }
    crate::terminal::print_line!("{:<12}{:<27}{}", entity.level.as_str(), entity.code, entity.text);
    if let Some(day) = entity.ended_on(clock::now()) {
        crate::terminal::print_line!("{:<39}ended on {day}", "");
    }
    for name in base.names(&entity.code) {
        crate::terminal::print_line!("{:<39}{} ({})", "", name.text, name.kind.as_str());
    }
    for unit in base.responsible_for_entity(&entity.code) {
        crate::terminal::print_line!("{:<12}{:<27}{} {}", "", unit.kind, unit.code, unit.name);
    }
}

fn of_text(base: &AddressBase, text: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let hits = base.search(text, HITS);
    if as_json {
        crate::terminal::print_line!("{}", serde_json::to_string_pretty(&hits)?);
        return Ok(answered(!hits.is_empty()));
    }
    if hits.is_empty() {
        crate::terminal::tell_line!("no match");
    } else {
        crate::terminal::print_line!("{:<11}{:<27}{:>6}  TEXT", "LEVEL", "CODE", "SCORE");
    }
    for hit in &hits {
        let code = hit.code.as_ref().map_or("", AddressPrefix::as_str);
        crate::terminal::print_line!("{:<11}{code:<27}{:>6.2}  {}", hit.kind.as_str(), hit.score, hit.text);
    }
    Ok(answered(!hits.is_empty()))
}
