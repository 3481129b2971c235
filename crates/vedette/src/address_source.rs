//! What the page and the API ask of the address base that serves now.

use vedette_address::{AddressBase, AddressEntity};
use vedette_console::{AddressSource, BaseReport, EntityJson, GeometryJson, HitJson, RefusalJson, ServedJson};
use vedette_core::{AddressLevel, AddressMatch, AddressPrefix, GroundPoint};

use crate::address_book::{AddressBook, Refusal, Served};
use crate::clock;

/// Best rank of a search.
const BEST_RANK: f32 = 3.0;

/// The book as the console asks it.
pub(crate) struct Addresses(pub(crate) AddressBook);

impl AddressSource for Addresses {
    fn entity(&self, code: &AddressPrefix) -> Option<EntityJson> {
        let base = self.0.at(clock::now())?;
        base.entity(code).map(|entity| entity_json(&base, &entity))
    }

    fn search(&self, text: &str, at_most: usize) -> Vec<HitJson> {
        let Some(base) = self.0.at(clock::now()) else { return Vec::new() };
        let hits = base.search(text, at_most);
        hits.into_iter()
            .map(|hit| HitJson { code: hit.code, text: hit.text, score: f32::from(hit.rank) / BEST_RANK })
            .collect()
    }

    fn resolve(&self, point: &GroundPoint) -> Option<AddressMatch> {
        self.0.at(clock::now())?.resolve(point)
    }

    fn report(&self) -> BaseReport {
        let report = self.0.report(clock::now());
        let list = |served: &[Served]| served.iter().map(served_json).collect();
        BaseReport {
            current: report.current.as_ref().map(served_json),
            scheduled: list(&report.scheduled),
            history: list(&report.history),
            standing_refusal: report.standing.as_ref().map(refusal_json),
            last_refusal: report.last_refusal.as_ref().map(refusal_json),
        }
    }
}

fn entity_json(base: &AddressBase, entity: &AddressEntity) -> EntityJson {
    let grid = entity.code.as_str().get(..AddressLevel::Grid.prefix_len());
    EntityJson {
        code: entity.code.clone(),
        level: entity.level,
        text: entity.text.clone(),
        name: entity.name.clone(),
        work_code: entity.work_code.clone(),
        geometry: entity.geometry.as_ref().and_then(|shape| geometry_json(&shape.into())),
        former_codes: base.former_codes(&entity.code),
        responsible: grid.iter().flat_map(|grid| base.responsible_for(grid)).map(|unit| (&unit).into()).collect(),
        base_version: base.version().to_owned(),
        synthetic: base.synthetic(),
    }
}

fn geometry_json(geometry: &geojson::Geometry) -> Option<GeometryJson> {
    // The fields are those of GeoJSON.
    serde_json::from_value(serde_json::to_value(geometry).ok()?).ok()
}

fn served_json(served: &Served) -> ServedJson {
    ServedJson {
        version: served.version.clone(),
        synthetic: served.synthetic,
        from: served.from.map(|moment| moment.to_string()),
        until: served.until.map(|moment| moment.to_string()),
        taken: served.taken.to_string(),
    }
}

fn refusal_json(refusal: &Refusal) -> RefusalJson {
    RefusalJson {
        version: refusal.version.clone(),
        from: refusal.effective_from.map(|moment| moment.to_string()),
        reason: refusal.reason.to_owned(),
        detail: refusal.detail.clone(),
        at: refusal.at.to_string(),
    }
}
