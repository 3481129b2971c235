use vedette_access::Areas;
use vedette_alerts::StoredAlert;
use vedette_core::{AlertId, Timestamp};

use super::areas::Inside;
use super::entries::{self, Entry, entries, with_events, with_events_inside};
use super::{AlertFilter, AlertPage, AlertStore, Cursor, StoreCounts, StoreError};

impl AlertStore {
    /// The alert with that id, if it exists inside of `areas`. For a caller who does not see the whole site, its event is the alerts inside
    /// of its areas.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, id: AlertId, areas: &Areas) -> Result<Option<StoredAlert>, StoreError> {
        let found = self.read(|session| entries::get(session, id, areas, &self.damage))?;
        Ok(found.map(|stored| self.settled(stored)))
    }

    /// A page of the events (or single alerts) inside of `areas` that pass `filter`, newest first. For a caller who does not see the whole
    /// site, an event is the alerts inside of its areas, and the first of them leads it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, filter: &AlertFilter, areas: &Areas) -> Result<AlertPage, StoreError> {
        const DOING: &str = "listing alerts";
        let size = filter.page_size() as usize;
        // One more than requested reveals whether there is a next page.
        let at_most = size as i64 + 1;
        let mut of_areas = Vec::new();
        let inside = Inside::new(areas, &mut of_areas);
        let (sql, values) = match &inside {
            None => {
                let (picked, values) = filter.statement(at_most);
                (with_events(&picked, "DESC"), values)
            }
            Some(inside) => {
                let (picked, values) = filter.statement_inside(inside, of_areas, at_most);
                (with_events_inside(&picked, "DESC", inside), values)
            }
        };
        let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let mut found = entries(rows, inside.is_some(), &self.damage);
        let more = found.len() > size;
        found.truncate(size);
        // Of the last entry whose id can be read: entries behind it are listed again, and left out again.
        let place = |entry: &Entry| Some(Cursor { at: Timestamp::from_micros(entry.at), id: entry.id.parse().ok()? });
        let next = if more { found.iter().rev().find_map(place) } else { None };
        let alerts = found.into_iter().filter_map(|entry| Some(self.settled(entry.stored?))).collect();
        Ok(AlertPage { alerts, next })
    }

    /// Number of the last change; 0 when there was none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = 'change'";
        self.read(|session| session.row("reading the last change", sql)?.take(0))
    }

    /// Counts of the store's content inside of `areas`. Conflicts are counted for the whole site only.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn counts(&self, areas: &Areas) -> Result<StoreCounts, StoreError> {
        const DOING: &str = "counting";
        let mut values = Vec::new();
        let sql = match Inside::new(areas, &mut values) {
            None => {
                "SELECT count(*), count(*) FILTER (WHERE event = id), count(DISTINCT event) FILTER (WHERE status = 'open'),
                          count(*) FILTER (WHERE event = id) - count(DISTINCT event) FILTER (WHERE verdict IS NOT NULL),
                          (SELECT count(*) FROM snapshot), (SELECT count(*) FROM clip WHERE reason IS NULL),
                          (SELECT value FROM counter WHERE name = 'conflict')
                   FROM alert"
                    .to_owned()
            }
            Some(inside) => format!(
                "SELECT count(*), count(DISTINCT event), count(DISTINCT event) FILTER (WHERE status = 'open'),
                          count(DISTINCT event) - count(DISTINCT event) FILTER (WHERE verdict IS NOT NULL),
                          count(*) FILTER (WHERE EXISTS (SELECT 1 FROM snapshot WHERE snapshot.alert = alert.id)),
                          count(*) FILTER (WHERE EXISTS (SELECT 1 FROM clip WHERE clip.alert = alert.id AND reason IS NULL)), 0
                   FROM alert WHERE {}",
                inside.any_alert()
            ),
        };
        let none = || StoreError::Damaged { doing: DOING, cause: "there are no counts".into() };
        let mut row = self.read(|session| session.rows(DOING, &sql, &values))?.pop().ok_or_else(none)?;
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
