//! Texts that name one building or unit of a city, in every form, with as many outer levels as make them unique.

use std::collections::HashMap;

use vedette_address::text::Entities;
use vedette_address::text::disturb::{Dice, likeness};

use crate::city::City;

/// How a text names its building.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Full,
    Administrative,
    Geographic,
    Other,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::Administrative, Self::Geographic, Self::Other];
}

/// Bit mask of the levels 0 to 4 (province to community) in a text.
type Areas = u8;
const ALL_AREAS: Areas = 0b11111;
const DISTRICT: Areas = 0b00100;
const STREET: Areas = 0b01000;
const COMMUNITY: Areas = 0b10000;

/// The part after the areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Core {
    /// Village and building.
    Village,
    /// Road, door plate, village and building.
    Whole,
    /// Road, door plate and building.
    Road,
    /// The building's alternative name of this number.
    Other(usize),
}

pub(crate) struct Written {
    pub(crate) building: u32,
    pub(crate) unit: Option<u32>,
    pub(crate) form: Form,
    areas: Areas,
    core: Core,
    own_part: String,
    pub(crate) text: String,
    /// The same without one level, where the rest is still unique.
    pub(crate) level_missing: Option<String>,
}

fn core_text(city: &City, building: u32, core: Core) -> String {
    let level = |level| city.level(building as usize, level);
    match core {
        Core::Village => format!("{}{}", level(7), level(8)),
        Core::Whole => (5..9).map(level).collect(),
        Core::Road => format!("{}{}{}", level(5), level(6), level(8)),
        Core::Other(index) => city.text(city.entities[building as usize].others[index].0).to_owned(),
    }
}

/// Equal for texts that name two buildings equally.
fn key(city: &City, building: u32, areas: Areas, likeness: u64) -> u64 {
    let levels = city.entities[building as usize].levels;
    let mut key = likeness;
    for (level, text) in levels.iter().enumerate().take(5).skip(2) {
        let part = if areas >> level & 1 == 1 { u64::from(*text) + 1 } else { 0 };
        key = (key ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    key
}

/// Number of buildings per key, for the given keys.
struct Counts(HashMap<u64, u32>);

impl Counts {
    fn of(city: &City, wanted: &[(u32, Core)]) -> Self {
        let mut counts = HashMap::new();
        for (building, core) in wanted {
            let likeness = likeness(&core_text(city, *building, *core));
            counts.extend((0..8).map(|areas| (key(city, *building, areas << 2, likeness), 0)));
        }
        let mut keys = Vec::new();
        for building in 0..city.buildings as u32 {
            let others = city.entities[building as usize].others.len();
            let cores = [Core::Village, Core::Whole, Core::Road].into_iter().chain((0..others).map(Core::Other));
            keys.clear();
            for core in cores {
                let likeness = likeness(&core_text(city, building, core));
                keys.extend((0..8).map(|areas| key(city, building, areas << 2, likeness)));
            }
            keys.sort_unstable();
            keys.dedup();
            for key in &keys {
                counts.entry(*key).and_modify(|count| *count += 1);
            }
        }
        Self(counts)
    }

    fn unique(&self, city: &City, building: u32, areas: Areas, core: Core) -> bool {
        let text = core_text(city, building, core);
        !text.is_empty() && self.0.get(&key(city, building, areas, likeness(&text))) == Some(&1)
    }
}

/// About `count` texts, and the number of buildings skipped because no text of the form is unique to them.
pub(crate) fn write(city: &City, count: usize, dice: &mut Dice) -> (Vec<Written>, usize) {
    let chosen: Vec<(u32, Form, Core)> = (0..count).map(|_| choose(city, dice)).collect();
    let cores =
        |(building, _, core): &(u32, Form, Core)| [*core, Core::Village, Core::Road].map(|core| (*building, core));
    let counts = Counts::of(city, &chosen.iter().flat_map(cores).collect::<Vec<_>>());
    let mut texts = Vec::new();
    for (building, form, core) in chosen {
        let areas: &[Areas] = match form {
            Form::Full | Form::Administrative => &[ALL_AREAS],
            Form::Geographic => &[0b00111, 0b01111, ALL_AREAS],
            Form::Other => &[0, DISTRICT, STREET, COMMUNITY, DISTRICT | STREET, DISTRICT | STREET | COMMUNITY],
        };
        let unique = areas.iter().copied().find(|areas| counts.unique(city, building, *areas, core));
        let Some(areas) = unique else { continue };
        let (unit, own_part) = unit(city, building, core, dice);
        let text = text(city, building, areas, core, &own_part);
        let mut written = Written { building, unit, form, areas, core, own_part, text, level_missing: None };
        written.level_missing = without_a_level(city, &written, &counts, dice);
        texts.push(written);
    }
    let passed_over = count - texts.len();
    (texts, passed_over)
}

fn choose(city: &City, dice: &mut Dice) -> (u32, Form, Core) {
    let building = dice.below(city.buildings) as u32;
    let others = city.entities[building as usize].others.len();
    let form = Form::ALL[dice.below(if others > 0 { 4 } else { 3 })];
    let core = match form {
        Form::Full | Form::Geographic => Core::Whole,
        Form::Administrative => Core::Village,
        Form::Other => Core::Other(dice.below(others)),
    };
    (building, form, core)
}

/// A unit for every second text: its number, and its own part in full, without the floor, or as the room alone.
fn unit(city: &City, building: u32, core: Core, dice: &mut Dice) -> (Option<u32>, String) {
    if let Core::Other(index) = core {
        let unit = city.entities[building as usize].others[index].1;
        if unit.is_some() {
            return (unit, String::new());
        }
    }
    let units = city.units_of(building as usize);
    if dice.below(2) == 0 || units.is_empty() {
        return (None, String::new());
    }
    let unit = units.start + dice.below(units.len());
    let whole = city.own_part(unit);
    let alone = |text: &str| {
        let mut same = 0;
        city.units(building, &mut |_, own_part| same += usize::from(own_part.ends_with(text)));
        same == 1
    };
    let room = whole.split(['层', '元']).next_back().unwrap_or(whole);
    let without_floor = match (whole.split_once("单元"), whole.split_once('层')) {
        (Some((entrance, _)), Some((_, room))) => format!("{entrance}单元{room}"),
        _ => room.to_owned(),
    };
    let own_part = match dice.below(5) {
        // `商铺3号` without its floor is ambiguous.
        0 if room.starts_with(|first: char| first.is_ascii_digit()) && alone(room) => room.to_owned(),
        1 if without_floor.contains("单元") || alone(room) => without_floor,
        _ => whole.to_owned(),
    };
    (Some(unit as u32), own_part)
}

fn text(city: &City, building: u32, areas: Areas, core: Core, own_part: &str) -> String {
    let mut text: String =
        (0..5).filter(|level| areas >> level & 1 == 1).map(|level| city.level(building as usize, level)).collect();
    text.push_str(&core_text(city, building, core));
    text.push_str(own_part);
    text
}

fn without_a_level(city: &City, written: &Written, counts: &Counts, dice: &mut Dice) -> Option<String> {
    let mut choices: Vec<(Areas, Core)> = (0..5)
        .map(|level| written.areas & !(1 << level))
        .filter(|areas| *areas != written.areas)
        .map(|areas| (areas, written.core))
        .collect();
    if written.core == Core::Whole {
        choices.extend([(written.areas, Core::Village), (written.areas, Core::Road)]);
    }
    choices.retain(|(areas, core)| counts.unique(city, written.building, *areas, *core));
    let (areas, core) = *dice.pick(&choices)?;
    let text = text(city, written.building, areas, core, &written.own_part);
    (text != written.text).then_some(text)
}
