//! The rooms of the buildings.

use super::ground::CheckedBuilding;
use crate::builder::Reason;
use crate::builder::draft::{Draft, UnitDraft};

/// A unit accepted into the base.
pub(super) struct CheckedUnit {
    pub(super) building: u32,
    pub(super) room: u32,
    pub(super) text: u32,
    /// The text is the whole address.
    pub(super) whole: bool,
}

/// Units whose building is in the base, without duplicate rooms, in the order of their codes.
pub(super) fn check_units(draft: &mut Draft, buildings: &[CheckedBuilding]) -> Vec<CheckedUnit> {
    let mut all = std::mem::take(&mut draft.units);
    all.sort_unstable_by_key(|unit| (unit.key, unit.room, unit.table, unit.line));
    let mut checked: Vec<CheckedUnit> = Vec::with_capacity(all.len());
    let mut at = 0;
    let mut before: Option<UnitDraft> = None;
    for unit in all {
        while buildings.get(at).is_some_and(|building| building.key < unit.key) {
            at += 1;
        }
        let Some(building) = buildings.get(at).filter(|building| building.key == unit.key) else {
            let rule = format!("its building {} is not in the base, or was refused", unit.key.text());
            refuse(draft, &unit, Reason::UnitWithoutBuilding, rule);
            continue;
        };
        if let Some(twin) = before.filter(|before| (before.key, before.room) == (unit.key, unit.room)) {
            let rule = format!("the code was given before, in {}", draft.place_of(twin.source()));
            refuse(draft, &unit, Reason::DoubleCode, rule);
            continue;
        }
        before = Some(unit);
        let (text, whole) = match unit.building_text == building.text {
            true => (unit.text, false),
            false => own_or_whole(draft, &unit, building.text),
        };
        checked.push(CheckedUnit { building: at as u32, room: unit.room, text, whole });
    }
    checked
}

/// The suffix of a unit's text after its building's text, or the whole text if it does not begin with that (the row of the unit
/// names the building differently from the building's own row).
fn own_or_whole(draft: &mut Draft, unit: &UnitDraft, building_text: u32) -> (u32, bool) {
    let whole = format!("{}{}", draft.strings.get(unit.building_text), draft.strings.get(unit.text));
    match whole.strip_prefix(draft.strings.get(building_text)).map(str::to_owned) {
        Some(own) => (draft.strings.intern(&own), false),
        None => (draft.strings.intern(&whole), true),
    }
}

fn refuse(draft: &mut Draft, unit: &UnitDraft, reason: Reason, rule: String) {
    let code = unit.key.room(unit.room).map(|code| code.to_string()).unwrap_or_default();
    draft.refuse(unit.source(), "code", &code, reason, rule);
}
