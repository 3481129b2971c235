use vedette_alerts::{StoredAlert, Verdict, View};
use vedette_core::{Alert, AlertId, Timestamp};

use super::session::{Row, Session};
use super::{AlertFilter, AlertPage, AlertStore, Cursor, StoreCounts, StoreError};

/// The query that [`stored`] reads, with its columns, for alerts that another statement selects by `id` with their events, in
/// the order of its `at`: each with all alerts of its event.
fn with_events(picked: &str, order: &str) -> String {
    format!(
        "SELECT picked.at, picked.id, picked.event, it.id, it.change, it.payload, it.verdict, it.verdict_by, it.verdict_note,
                it.verdict_at_us
         FROM ({picked}) AS picked JOIN alert AS it ON it.event_us = picked.event_us AND it.event = picked.event
         ORDER BY picked.at {order}, picked.id {order}, it.raised_us, it.id"
    )
}

impl AlertStore {
    /// The alert with that id, if it exists.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
        self.read(|session| get(session, id))
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
        let mut found = stored(self.read(|session| session.rows(DOING, &sql, &values))?)?;
        let more = found.len() > size;
        found.truncate(size);
        let place =
            |(at, stored): &(i64, StoredAlert)| Cursor { raised: Timestamp::from_micros(*at), id: stored.alert.id };
        let next = found.last().filter(|_| more).map(place);
        let alerts = found.into_iter().map(|(_, stored)| stored).collect();
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
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let picked = "SELECT change AS at, id, event_us, event FROM alert WHERE change > ?1 ORDER BY change LIMIT ?2";
        let sql = with_events(picked, "ASC");
        let rows = self.read(|session| session.rows(DOING, &sql, &[after.into(), limit.into()]))?;
        Ok(stored(rows)?.into_iter().map(|(_, stored)| stored).collect())
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
                          (SELECT count(*) FROM snapshot), (SELECT value FROM counter WHERE name = 'conflict')
                   FROM alert";
        let mut row = self.read(|session| session.row("counting", sql))?;
        Ok(StoreCounts {
            alerts: row.take(0)?,
            events: row.take(1)?,
            open: row.take(2)?,
            unreviewed: row.take(3)?,
            snapshots: row.take(4)?,
            conflicts: row.take(5)?,
        })
    }
}

pub(super) fn get(session: &mut dyn Session, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
    let sql = with_events("SELECT change AS at, id, event_us, event FROM alert WHERE id = ?1", "ASC");
    let rows = session.rows("reading an alert", &sql, &[id.to_string().into()])?;
    Ok(stored(rows)?.pop().map(|(_, stored)| stored))
}

/// The selected alerts, each with its `at`. The rows of one are consecutive.
fn stored(rows: Vec<Row>) -> Result<Vec<(i64, StoredAlert)>, StoreError> {
    let mut found = Vec::new();
    let mut of_one: Option<Picked> = None;
    for mut row in rows {
        let (at, id, event): (i64, String, String) = (row.take(0)?, row.take(1)?, row.take(2)?);
        if of_one.as_ref().is_none_or(|picked| picked.id != id) {
            found.extend(of_one.take().map(Picked::finish).transpose()?);
        }
        of_one
            .get_or_insert_with(|| Picked { doing: row.doing(), at, id, event, own: None, views: Vec::new() })
            .add(row)?;
    }
    found.extend(of_one.map(Picked::finish).transpose()?);
    Ok(found)
}

/// A selected alert while its rows are read.
struct Picked {
    doing: &'static str,
    at: i64,
    id: String,
    event: String,
    own: Option<(View, u64)>,
    views: Vec<View>,
}

impl Picked {
    fn add(&mut self, mut row: Row) -> Result<(), StoreError> {
        let own = row.take::<String>(3)? == self.id;
        // A view does not list its siblings.
        if own {
            self.own = Some((view(&mut row)?, row.take(4)?));
        } else if self.id == self.event {
            self.views.push(view(&mut row)?);
        }
        Ok(())
    }

    fn finish(self) -> Result<(i64, StoredAlert), StoreError> {
        let damaged = |cause: String| StoreError::Damaged { doing: self.doing, cause };
        let event = self.event.parse().map_err(damaged)?;
        let (View { alert, verdict }, change) = self.own.ok_or_else(|| damaged("an event has no lead".into()))?;
        Ok((self.at, StoredAlert { alert, verdict, change, event, views: self.views }))
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
