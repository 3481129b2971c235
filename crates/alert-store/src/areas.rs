//! Areas as conditions of statements.

use vedette_access::{Area, Areas};
use vedette_core::AddressPrefix;

use super::session::Value;

/// Lengths of the address prefixes that have an index with the order of a list.
const ORDERED: [usize; 3] = [6, 9, 12];

/// The areas of a caller who does not see everything, with their values in a statement.
pub(super) struct Inside {
    /// By length of their prefix.
    entities: Vec<Entity>,
    /// The numbers of the values of camera groups.
    groups: Vec<String>,
}

/// An address entity: its prefix and, if that has no ordered index, the first text behind it.
struct Entity {
    len: usize,
    prefix: String,
    end: Option<String>,
}

impl Inside {
    /// The conditions of `areas`, with their values added to `values`; none for the whole site.
    pub(super) fn new(areas: &Areas, values: &mut Vec<Value<'static>>) -> Option<Self> {
        let Areas::Only(areas) = areas else { return None };
        let mut number = |value: String| {
            values.push(value.into());
            format!("?{}", values.len())
        };
        let mut inside = Self { entities: Vec::new(), groups: Vec::new() };
        for area in areas {
            match area {
                Area::Address(prefix) => inside.entities.push(Entity {
                    len: prefix.as_str().len(),
                    prefix: number(prefix.as_str().to_owned()),
                    end: (!ORDERED.contains(&prefix.as_str().len())).then(|| number(end(prefix))),
                }),
                Area::Group(name) => inside.groups.push(number(name.clone())),
            }
        }
        Some(inside)
    }

    /// A condition that alert `of`, which was found otherwise, is inside. The empty text keeps it from the indexes: SQLite would look among
    /// all alerts of an area for each one of an event.
    pub(super) fn alert(&self, of: &str) -> String {
        self.holds(&format!("({of}.code || '')"), &format!("({of}.camera || '')"))
    }

    /// A condition by which the alerts inside may be found.
    pub(super) fn any_alert(&self) -> String {
        self.holds("alert.code", "alert.camera")
    }

    fn holds(&self, code: &str, camera: &str) -> String {
        let mut terms: Vec<String> = self.entities.iter().map(|entity| entity.holds(code)).collect();
        terms.extend(self.in_groups(camera));
        any(&terms)
    }

    /// A condition that the camera of `of` is inside, by its own address or its groups.
    pub(super) fn camera(&self, of: &str) -> String {
        let mut terms: Vec<String> = self.entities.iter().map(|entity| entity.holds("camera_place.code")).collect();
        if !terms.is_empty() {
            terms = vec![format!("{of}.camera IN (SELECT camera FROM camera_place WHERE {})", any(&terms))];
        }
        terms.extend(self.in_groups(&format!("{of}.camera")));
        any(&terms)
    }

    /// For each area the source of its alerts, their condition, and the columns of their time and id, by which an index orders them. `whole`
    /// says whether more of an alert is asked for than time, id and event.
    pub(super) fn branches(&self, whole: bool) -> Vec<Branch> {
        let of_entity = |entity: &Entity| Branch {
            from: "alert",
            condition: entity.holds("alert.code"),
            key: ("alert.raised_us", "alert.id"),
        };
        let of_group = |group: &String| match whole {
            true => Branch {
                from: "alert_group AS held CROSS JOIN alert",
                condition: format!("held.name = {group} AND alert.id = held.alert"),
                key: ("held.raised_us", "held.alert"),
            },
            false => Branch {
                from: "(SELECT name, raised_us, alert AS id, event_us, event FROM alert_group) AS alert",
                condition: format!("alert.name = {group}"),
                key: ("alert.raised_us", "alert.id"),
            },
        };
        self.entities.iter().map(of_entity).chain(self.groups.iter().map(of_group)).collect()
    }

    fn in_groups(&self, camera: &str) -> Option<String> {
        let groups = self.groups.join(", ");
        (!groups.is_empty()).then(|| format!("{camera} IN (SELECT camera FROM camera_group WHERE name IN ({groups}))"))
    }
}

/// The alerts of one area.
pub(super) struct Branch {
    pub(super) from: &'static str,
    pub(super) condition: String,
    pub(super) key: (&'static str, &'static str),
}

impl Entity {
    fn holds(&self, code: &str) -> String {
        let Self { len, prefix, end } = self;
        match end {
            None => format!("substr({code}, 1, {len}) = {prefix}"),
            Some(end) => format!("({code} >= {prefix} AND {code} < {end})"),
        }
    }
}

/// Codes are ASCII: everything that starts with the prefix sorts below prefix + DEL.
fn end(prefix: &AddressPrefix) -> String {
    format!("{}\u{7f}", prefix.as_str())
}

fn any(terms: &[String]) -> String {
    format!("({})", terms.join(" OR "))
}
