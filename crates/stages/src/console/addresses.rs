//! Queries of the page and the API to the address base in force.

use vedette_address::{AddressBase, AddressEntity, EntityName, FormerCode};
use vedette_console::{
    AddressSource, BaseReport, EntityJson, FormerCodeJson, GeometryJson, HitJson, NameJson, RefusalJson, ServedJson,
};
use vedette_core::{AddressMatch, AddressPrefix, GroundPoint};
use vedette_runtime::clock;

use crate::address_book::{AddressBook, Refusal, Served};

/// The book as a source of the console.
pub(super) struct Addresses(pub(super) AddressBook);

impl AddressSource for Addresses {
    fn entity(&self, code: &AddressPrefix) -> Option<EntityJson> {
        let base = self.0.at(clock::now())?;
        if let Some(entity) = base.entity(code) {
            return Some(entity_json(&base, &entity, None));
        }
        let former = base.former_code(code.as_str())?;
        Some(entity_json(&base, &base.entity(&former.code)?, Some(&former)))
    }

    fn search(&self, text: &str, at_most: usize) -> Vec<HitJson> {
        let Some(base) = self.0.at(clock::now()) else { return Vec::new() };
        let hits = base.search(text, at_most);
        hits.into_iter()
            .map(|hit| HitJson { kind: hit.kind.as_str().to_owned(), code: hit.code, text: hit.text, score: hit.score })
            .collect()
    }

    fn resolve(&self, point: &GroundPoint) -> Option<AddressMatch> {
        let now = clock::now();
        self.0.at(now)?.resolve(point, now)
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

fn entity_json(base: &AddressBase, entity: &AddressEntity, former: Option<&FormerCode>) -> EntityJson {
    EntityJson {
        code: entity.code.clone(),
        level: entity.level,
        text: entity.text.clone(),
        name: entity.name.clone(),
        work_code: entity.work_code.clone(),
        geometry: entity.geometry.as_ref().and_then(|shape| geometry_json(&shape.into())),
        ended_on: entity.ended_on(clock::now()).as_ref().map(ToString::to_string),
        names: base.names(&entity.code).iter().map(name_json).collect(),
        asked_by: former.map(|former| FormerCodeJson {
            former: former.former.clone(),
            changed: former.changed.as_ref().map(ToString::to_string),
        }),
        responsible: base.responsible_for_entity(&entity.code).iter().map(Into::into).collect(),
        base_version: base.version().to_owned(),
        synthetic: base.synthetic(),
    }
}

fn name_json(name: &EntityName) -> NameJson {
    NameJson {
        kind: name.kind.as_str().to_owned(),
        text: name.text.clone(),
        valid_from: name.valid_from.as_ref().map(ToString::to_string),
        valid_to: name.valid_to.as_ref().map(ToString::to_string),
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
