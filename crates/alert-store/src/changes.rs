//! Changes by number, and who sees them.

use std::collections::{BTreeMap, BTreeSet};

use vedette_access::{Area, Areas};
use vedette_alerts::{ClipState, StoredAlert, View};
use vedette_core::{AddressCode, AlertId};

use super::areas::Inside;
use super::entries::{Entry, Member, entries, with_events, with_places};
use super::session::{Session, Value};
use super::{AlertStore, StoreError};

const DOING: &str = "reading changes";
/// Cameras that one statement names.
const CAMERAS: usize = 50;

/// A change, with the places of all alerts of its event, which decide who sees what of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The alert as a caller for the whole site sees it.
    pub stored: StoredAlert,
    /// Whether it leads its event; the first view stands in for a lead that cannot be read.
    leads: bool,
    /// The alerts of its event, in the order they were raised.
    event: Vec<Placed>,
}

/// An alert of an event, and where it lies.
#[derive(Debug, Clone, PartialEq)]
struct Placed {
    id: AlertId,
    /// The number of the last change of its own.
    own_change: u64,
    code: Option<AddressCode>,
    groups: BTreeSet<String>,
    clip: ClipState,
}

impl Placed {
    fn is_inside(&self, areas: &Areas) -> bool {
        let by_group = |area: &Area| matches!(area, Area::Group(name) if self.groups.contains(name));
        match areas {
            Areas::Everywhere => true,
            Areas::Only(only) => areas.has_code(self.code.as_ref()) || only.iter().any(by_group),
        }
    }
}

impl Changed {
    /// The change as a caller sees it who sees the alerts inside of `areas`; none when it sees none of it, or when none of the alerts that
    /// it sees has changed since change number `since`.
    ///
    /// `since` is a number up to which the caller has certainly seen everything: that at which reading began, not that of the change
    /// before. An event that only a hidden alert has changed is then no change, however the numbers of its visible alerts moved.
    #[must_use]
    pub fn visible(&self, areas: &Areas, since: u64) -> Option<StoredAlert> {
        if *areas == Areas::Everywhere {
            return Some(self.stored.clone());
        }
        let inside: Vec<&Placed> = self.event.iter().filter(|it| it.is_inside(areas)).collect();
        let lead = inside.first()?;
        if inside.iter().all(|it| it.own_change <= since) {
            return None;
        }
        let stored = &self.stored;
        if !self.leads {
            // The one that leads for this caller changes with the whole event.
            let is_view = stored.alert.id != lead.id && inside.iter().any(|it| it.id == stored.alert.id);
            return is_view.then(|| StoredAlert { event: lead.id, ..stored.clone() });
        }
        let own = (stored.alert.id, View { alert: stored.alert.clone(), verdict: stored.verdict.clone() });
        let views = stored.views.iter().map(|view| (view.alert.id, view.clone()));
        let mut content: BTreeMap<AlertId, View> = std::iter::once(own).chain(views).collect();
        let mut seen = inside.iter().filter_map(|it| Some((it.clip, content.remove(&it.id)?)));
        let (clip, View { alert, verdict }) = seen.next()?;
        let views = seen.map(|(_, view)| view).collect();
        Some(StoredAlert { alert, verdict, clip, change: stored.change, event: lead.id, views })
    }
}

impl AlertStore {
    /// The changes after change number `after` inside of `areas`, oldest first, at most `limit`. An alert that changed several
    /// times appears once, in its current state. An alert that joins or leaves an event has changed, and so has the event's lead
    /// when any of its views did.
    ///
    /// For a caller who does not see the whole site, an event is the alerts inside of its areas, and has changed when one of them did since
    /// change number `since` ([`Changed::visible`]).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn changes_after(
        &self,
        after: u64,
        since: u64,
        limit: u32,
        areas: &Areas,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        match areas {
            Areas::Everywhere => {
                let picked =
                    "SELECT change AS at, id, event_us, event FROM alert WHERE change > ?1 ORDER BY change LIMIT ?2";
                let sql = with_events(picked, "ASC");
                self.read_changes(after, limit, |values| {
                    let found = self.read(|session| session.rows(DOING, &sql, values))?;
                    let found = entries(found, false, &self.damage);
                    Ok(found
                        .into_iter()
                        .map(|entry| (entry.at, self.numbered(entry).map(|(stored, _)| stored)))
                        .collect())
                })
            }
            Areas::Only(_) => {
                let changes = |values: &[Value<'static>]| {
                    let changed = self.placed_changes(values, Some(areas))?;
                    let visible = |it: Option<Changed>| it.and_then(|it| it.visible(areas, since));
                    Ok(changed.into_iter().map(|(at, changed)| (at, visible(changed))).collect())
                };
                self.read_changes(after, limit, changes)
            }
        }
    }

    /// The changes after change number `after`, oldest first, at most `limit`, as [`AlertStore::changes_after`] for the whole site, to be
    /// told to callers for different areas.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn placed_changes_after(&self, after: u64, limit: u32) -> Result<Vec<Changed>, StoreError> {
        self.read_changes(after, limit, |values| self.placed_changes(values, None))
    }

    /// As many as are asked for, unless there are no more: what cannot be read or is hidden must not end the list early.
    fn read_changes<T>(
        &self,
        after: u64,
        limit: u32,
        read: impl Fn(&[Value<'static>]) -> Result<Vec<(i64, Option<T>)>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut changes = Vec::new();
        loop {
            let wanted = (limit as usize).saturating_sub(changes.len());
            let values = [after.into(), i64::try_from(wanted).unwrap_or(i64::MAX).into()];
            let found = read(&values)?;
            let (all, last) = (found.len() < wanted, found.last().map(|(at, _)| *at));
            changes.extend(found.into_iter().filter_map(|(_, change)| change));
            match last {
                Some(last) if !all && changes.len() < limit as usize => after = last,
                _ => return Ok(changes),
            }
        }
    }

    /// The changes of a statement with the places of the alerts of their events; those that are inside of `areas`, if there are any.
    fn placed_changes(
        &self,
        values: &[Value<'static>],
        areas: Option<&Areas>,
    ) -> Result<Vec<(i64, Option<Changed>)>, StoreError> {
        let mut values = values.to_vec();
        let inside = areas.and_then(|areas| Inside::new(areas, &mut values));
        let hidden = inside.as_ref().map_or_else(String::new, |inside| {
            format!(
                " AND ({} OR (event = id AND EXISTS
                     (SELECT 1 FROM alert AS other WHERE other.event_us = alert.event_us AND other.event = alert.event AND {})))",
                inside.alert("alert"),
                inside.alert("other")
            )
        });
        let picked = format!(
            "SELECT change AS at, id, event_us, event FROM alert WHERE change > ?1{hidden} ORDER BY change LIMIT ?2"
        );
        let sql = with_places(&picked, inside.as_ref());
        self.read(|session| {
            let found = entries(session.rows(DOING, &sql, &values)?, false, &self.damage);
            let cameras = found.iter().flat_map(|entry| &entry.members).map(|member| member.camera.as_str()).collect();
            let groups = groups_of(session, &cameras)?;
            Ok(found.into_iter().map(|entry| (entry.at, self.changed(entry, &groups))).collect())
        })
    }

    /// The alert of an entry with the row's own number, also where a view stands in for it.
    fn numbered(&self, entry: Entry) -> Option<(StoredAlert, Vec<Member>)> {
        let change = u64::try_from(entry.at).unwrap_or_default();
        Some((StoredAlert { change, ..self.settled(entry.stored?) }, entry.members))
    }

    fn changed(&self, entry: Entry, groups: &BTreeMap<String, BTreeSet<String>>) -> Option<Changed> {
        let leads = entry.leads;
        let (stored, members) = self.numbered(entry)?;
        let placed = |member: Member| {
            Some(Placed {
                id: member.id.parse().ok()?,
                own_change: member.own_change,
                code: member.code.and_then(|code| code.parse().ok()),
                groups: groups.get(&member.camera).cloned().unwrap_or_default(),
                clip: self.settled_clip(member.clip),
            })
        };
        Some(Changed { stored, leads, event: members.into_iter().filter_map(placed).collect() })
    }
}

/// The groups of cameras.
fn groups_of(
    session: &mut dyn Session,
    cameras: &BTreeSet<&str>,
) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let cameras: Vec<&str> = cameras.iter().copied().collect();
    for some in cameras.chunks(CAMERAS) {
        let numbers: Vec<String> = (1..=some.len()).map(|number| format!("?{number}")).collect();
        let sql = format!("SELECT camera, name FROM camera_group WHERE camera IN ({})", numbers.join(", "));
        let values: Vec<Value<'_>> = some.iter().map(|camera| (*camera).into()).collect();
        for mut row in session.rows(DOING, &sql, &values)? {
            groups.entry(row.take(0)?).or_default().insert(row.take(1)?);
        }
    }
    Ok(groups)
}
