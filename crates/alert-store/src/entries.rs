//! Alerts with their events, as statements select them.

use vedette_access::Areas;
use vedette_alerts::{ClipState, NoClip, StoredAlert, Verdict, View};
use vedette_core::{Alert, AlertId, Timestamp};

use super::StoreError;
use super::areas::Inside;
use super::damage::Damage;
use super::session::{Row, Session, Value};

/// The query that [`entries`] reads, with its columns, for alerts that another statement selects by `id` with their events, in
/// the order of its `at`: each with all alerts of its event.
pub(super) fn with_events(picked: &str, order: &str) -> String {
    with_columns(picked, order, "", "")
}

/// Likewise, for a caller who sees the alerts inside of areas only: with the alerts of its event that are inside.
pub(super) fn with_events_inside(picked: &str, order: &str, inside: &Inside) -> String {
    with_columns(picked, order, "", &format!(" AND {}", inside.alert("it")))
}

/// Likewise, with the columns that decide who sees the alerts.
pub(super) fn with_places(picked: &str, inside: Option<&Inside>) -> String {
    let condition = inside.map_or_else(String::new, |inside| format!(" AND {}", inside.alert("it")));
    with_columns(picked, "ASC", ", it.own_change, it.code, it.camera", &condition)
}

fn with_columns(picked: &str, order: &str, columns: &str, condition: &str) -> String {
    format!(
        "SELECT picked.at, picked.id, picked.event, it.id, it.change, it.payload, it.verdict, it.verdict_by, it.verdict_note,
                it.verdict_at_us, CASE WHEN clip.alert IS NULL THEN 0 ELSE 1 END, clip.reason{columns}
         FROM ({picked}) AS picked JOIN alert AS it ON it.event_us = picked.event_us AND it.event = picked.event{condition}
             LEFT JOIN clip ON clip.alert = it.id
         ORDER BY picked.at {order}, picked.id {order}, it.raised_us, it.id"
    )
}

/// An alert, if it exists and lies inside of `areas`.
pub(super) fn get(
    session: &mut dyn Session,
    id: AlertId,
    areas: &Areas,
    damage: &Damage,
) -> Result<Option<StoredAlert>, StoreError> {
    const DOING: &str = "reading an alert";
    let picked = "SELECT change AS at, id, event_us, event FROM alert WHERE id = ?1";
    let mut values: Vec<Value<'static>> = vec![id.to_string().into()];
    let inside = Inside::new(areas, &mut values);
    let sql = match &inside {
        None => with_events(picked, "ASC"),
        Some(inside) => with_events_inside(&format!("{picked} AND {}", inside.alert("alert")), "ASC", inside),
    };
    let rows = session.rows(DOING, &sql, &values)?;
    match entries(rows, inside.is_some(), damage).pop() {
        None => Ok(None),
        Some(Entry { stored: Some(stored), .. }) if stored.alert.id == id => Ok(Some(stored)),
        Some(_) => Err(StoreError::Damaged { doing: DOING, cause: format!("alert {id} is unreadable") }),
    }
}

/// A selected alert; none where neither it nor a view of its event can be read.
pub(super) struct Entry {
    pub(super) at: i64,
    pub(super) id: String,
    /// Whether it leads its event.
    pub(super) leads: bool,
    pub(super) stored: Option<StoredAlert>,
    /// The alerts of its event in the order they were raised, as far as the statement selected their places.
    pub(super) members: Vec<Member>,
}

/// An alert of an event, and where it lies.
pub(super) struct Member {
    pub(super) id: String,
    pub(super) own_change: u64,
    pub(super) code: Option<String>,
    pub(super) camera: String,
    pub(super) clip: ClipState,
}

/// The selected alerts. The rows of one are consecutive. What cannot be read is left out: a view, or the whole entry. With
/// `first_leads`, the first alert of an event leads it, because the statement did not select all.
pub(super) fn entries(rows: Vec<Row>, first_leads: bool, damage: &Damage) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut of_one: Option<Picked> = None;
    for mut row in rows {
        let doing = row.doing();
        let id = row.text(1);
        let picked = (row.take(0), row.take::<String>(1), row.take::<String>(2));
        let (at, id, event) = match picked {
            (Ok(at), Ok(id), Ok(event)) => (at, id, event),
            (at, by_id, event) => {
                let error = at.map(drop).and(by_id.map(drop)).and(event.map(drop)).err();
                let unknown = || StoreError::Damaged { doing, cause: "its position is unreadable".into() };
                damage.leave_out(&id, &error.unwrap_or_else(unknown));
                continue;
            }
        };
        if of_one.as_ref().is_none_or(|picked| picked.id != id) {
            found.extend(of_one.take().map(|picked| picked.finish(damage)));
        }
        let of_row = row.text(3);
        let event = if first_leads { of_row.clone() } else { event };
        let new = Picked { doing, at, id, event, own: None, views: Vec::new(), members: Vec::new() };
        let picked = of_one.get_or_insert(new);
        if let Err(error) = picked.add(row) {
            damage.leave_out(&of_row, &error);
        }
    }
    found.extend(of_one.map(|picked| picked.finish(damage)));
    found
}

/// An alert of an event.
struct Seen {
    view: View,
    change: u64,
    clip: ClipState,
}

fn seen(mut row: Row) -> Result<Seen, StoreError> {
    let doing = row.doing();
    let view = view(&mut row)?;
    let clip = match (row.take::<bool>(10)?, row.take::<Option<String>>(11)?) {
        (false, _) => ClipState::Pending,
        (true, None) => ClipState::Made,
        (true, Some(reason)) => {
            let reason = reason.parse::<NoClip>().map_err(|cause| StoreError::Damaged { doing, cause })?;
            ClipState::None(reason)
        }
    };
    Ok(Seen { view, change: row.take(4)?, clip })
}

/// A selected alert while its rows are read.
struct Picked {
    doing: &'static str,
    at: i64,
    id: String,
    event: String,
    own: Option<Seen>,
    views: Vec<Seen>,
    members: Vec<Member>,
}

impl Picked {
    fn add(&mut self, mut row: Row) -> Result<(), StoreError> {
        let id: String = row.take(3)?;
        let own = id == self.id;
        if row.len() > 12 {
            let (own_change, code, camera) = (row.take(12)?, row.take(13)?, row.take(14)?);
            self.members.push(Member { id, own_change, code, camera, clip: ClipState::Pending });
        }
        // A view does not list its siblings.
        if own || self.id == self.event {
            let seen = seen(row)?;
            if let Some(member) = self.members.last_mut() {
                member.clip = seen.clip;
            }
            match own {
                true => self.own = Some(seen),
                false => self.views.push(seen),
            }
        }
        Ok(())
    }

    fn finish(mut self, damage: &Damage) -> Entry {
        let (at, id) = (self.at, self.id.clone());
        let (leads, members) = (self.id == self.event, std::mem::take(&mut self.members));
        // The first view stands in for a lead that cannot be read, so that the lead does not hide the others.
        if self.own.is_none() && !self.views.is_empty() {
            self.own = Some(self.views.remove(0));
        }
        let stored = damage.readable(&id, self.stored());
        Entry { at, id, leads, stored, members }
    }

    fn stored(self) -> Result<StoredAlert, StoreError> {
        let damaged = |cause: String| StoreError::Damaged { doing: self.doing, cause };
        let event = self.event.parse().map_err(damaged)?;
        let Seen { view, change, clip } = self.own.ok_or_else(|| damaged("an event has no lead".into()))?;
        let views = self.views.into_iter().map(|seen| seen.view).collect();
        Ok(StoredAlert { alert: view.alert, verdict: view.verdict, clip, change, event, views })
    }
}

fn view(row: &mut Row) -> Result<View, StoreError> {
    let doing = row.doing();
    let damaged = |cause: String| StoreError::Damaged { doing, cause };
    let payload: String = row.take(5)?;
    let alert: Alert = serde_json::from_str(&payload).map_err(|cause| damaged(cause.to_string()))?;
    let verdict = match row.take::<Option<String>>(6)? {
        None => None,
        Some(word) => Some(Verdict {
            decision: word.parse().map_err(damaged)?,
            by: row.take(7)?,
            note: row.take(8)?,
            at: Timestamp::from_micros(row.take(9)?),
        }),
    };
    Ok(View { alert, verdict })
}
