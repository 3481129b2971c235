use vedette_alerts::{ClipState, NoClip, StoredAlert, Verdict, View};
use vedette_core::{Alert, AlertId, Timestamp};

use super::damage::Damage;
use super::session::{Row, Session};
use super::{AlertFilter, AlertPage, AlertStore, Cursor, StoreCounts, StoreError};

/// The query that [`stored`] reads, with its columns, for alerts that another statement selects by `id` with their events, in
/// the order of its `at`: each with all alerts of its event.
fn with_events(picked: &str, order: &str) -> String {
    format!(
        "SELECT picked.at, picked.id, picked.event, it.id, it.change, it.payload, it.verdict, it.verdict_by, it.verdict_note,
                it.verdict_at_us, CASE WHEN clip.alert IS NULL THEN 0 ELSE 1 END, clip.reason
         FROM ({picked}) AS picked JOIN alert AS it ON it.event_us = picked.event_us AND it.event = picked.event
             LEFT JOIN clip ON clip.alert = it.id
         ORDER BY picked.at {order}, picked.id {order}, it.raised_us, it.id"
    )
}

impl AlertStore {
    /// The alert with that id, if it exists.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
        let found = self.read(|session| get(session, id, &self.damage))?;
        Ok(found.map(|stored| self.settled(stored)))
    }

    /// A page of the events (or single alerts) that pass `filter`, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, filter: &AlertFilter) -> Result<AlertPage, StoreError> {
        const DOING: &str = "listing alerts";
        let size = filter.page_size() as usize;
        // One more than requested reveals whether there is a next page.
        let (picked, values) = filter.statement(size as i64 + 1);
        let sql = with_events(&picked, "DESC");
        let mut found = stored(self.read(|session| session.rows(DOING, &sql, &values))?, &self.damage);
        let more = found.len() > size;
        found.truncate(size);
        // Of the last entry whose id can be read: entries behind it are listed again, and left out again.
        let place =
            |entry: &Entry| Some(Cursor { raised: Timestamp::from_micros(entry.at), id: entry.id.parse().ok()? });
        let next = if more { found.iter().rev().find_map(place) } else { None };
        let alerts = found.into_iter().filter_map(|entry| Some(self.settled(entry.stored?))).collect();
        Ok(AlertPage { alerts, next })
    }

    /// The changes after change number `after`, oldest first, at most `limit`. An alert that changed several
    /// times appears once, in its current state. An alert that joins or leaves an event has changed, and so has the event's lead
    /// when any of its views did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn changes_after(&self, after: u64, limit: u32) -> Result<Vec<StoredAlert>, StoreError> {
        const DOING: &str = "reading changes";
        let mut after = i64::try_from(after).unwrap_or(i64::MAX);
        let picked = "SELECT change AS at, id, event_us, event FROM alert WHERE change > ?1 ORDER BY change LIMIT ?2";
        let sql = with_events(picked, "ASC");
        let mut changes = Vec::new();
        // As many as are asked for, unless there are no more: what cannot be read must not end the list early.
        loop {
            let wanted = (limit as usize).saturating_sub(changes.len());
            let values = [after.into(), i64::try_from(wanted).unwrap_or(i64::MAX).into()];
            let found = stored(self.read(|session| session.rows(DOING, &sql, &values))?, &self.damage);
            let (all, last) = (found.len() < wanted, found.last().map(|entry| entry.at));
            // The number is the row's own, also where a view stands in for it.
            changes.extend(found.into_iter().filter_map(|Entry { at, stored, .. }| {
                Some(StoredAlert { change: u64::try_from(at).unwrap_or_default(), ..self.settled(stored?) })
            }));
            match last {
                Some(last) if !all && changes.len() < limit as usize => after = last,
                _ => return Ok(changes),
            }
        }
    }

    /// Number of the last change; 0 when there was none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = 'change'";
        self.read(|session| session.row("reading the last change", sql)?.take(0))
    }

    /// Counts of the store's content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn counts(&self) -> Result<StoreCounts, StoreError> {
        let sql =
            "SELECT count(*), count(*) FILTER (WHERE event = id), count(DISTINCT event) FILTER (WHERE status = 'open'),
                          count(*) FILTER (WHERE event = id) - count(DISTINCT event) FILTER (WHERE verdict IS NOT NULL),
                          (SELECT count(*) FROM snapshot), (SELECT count(*) FROM clip WHERE reason IS NULL),
                          (SELECT value FROM counter WHERE name = 'conflict')
                   FROM alert";
        let mut row = self.read(|session| session.row("counting", sql))?;
        Ok(StoreCounts {
            alerts: row.take(0)?,
            events: row.take(1)?,
            open: row.take(2)?,
            unreviewed: row.take(3)?,
            snapshots: row.take(4)?,
            clips: row.take(5)?,
            conflicts: row.take(6)?,
        })
    }
}

pub(super) fn get(session: &mut dyn Session, id: AlertId, damage: &Damage) -> Result<Option<StoredAlert>, StoreError> {
    const DOING: &str = "reading an alert";
    let sql = with_events("SELECT change AS at, id, event_us, event FROM alert WHERE id = ?1", "ASC");
    let rows = session.rows(DOING, &sql, &[id.to_string().into()])?;
    match stored(rows, damage).pop() {
        None => Ok(None),
        Some(Entry { stored: Some(stored), .. }) if stored.alert.id == id => Ok(Some(stored)),
        Some(_) => Err(StoreError::Damaged { doing: DOING, cause: format!("alert {id} is unreadable") }),
    }
}

/// A selected alert; none where neither it nor a view of its event can be read.
struct Entry {
    at: i64,
    id: String,
    stored: Option<StoredAlert>,
}

/// The selected alerts. The rows of one are consecutive. What cannot be read is left out: a view, or the whole entry.
fn stored(rows: Vec<Row>, damage: &Damage) -> Vec<Entry> {
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
        let picked = of_one.get_or_insert_with(|| Picked { doing, at, id, event, own: None, views: Vec::new() });
        let of_row = row.text(3);
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
}

impl Picked {
    fn add(&mut self, mut row: Row) -> Result<(), StoreError> {
        let own = row.take::<String>(3)? == self.id;
        // A view does not list its siblings.
        if own {
            self.own = Some(seen(row)?);
        } else if self.id == self.event {
            self.views.push(seen(row)?);
        }
        Ok(())
    }

    fn finish(mut self, damage: &Damage) -> Entry {
        let (at, id) = (self.at, self.id.clone());
        // The first view stands in for a lead that cannot be read, so that the lead does not hide the others.
        if self.own.is_none() && !self.views.is_empty() {
            self.own = Some(self.views.remove(0));
        }
        let stored = self.stored().inspect_err(|error| damage.leave_out(&id, error)).ok();
        Entry { at, id, stored }
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
