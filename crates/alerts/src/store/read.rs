use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use vedette_core::{Alert, AlertId, Timestamp};

use super::{AlertFilter, AlertPage, AlertStore, Cursor, StoreCounts, StoreError, StoredAlert, Verdict};

/// The columns of [`Stored`], in its order.
const COLUMNS: &str = "payload, change, verdict, verdict_by, verdict_note, verdict_at_us";

/// A row before its texts are read.
struct Stored {
    payload: String,
    change: u64,
    verdict: Option<(String, String, String, i64)>,
}

impl AlertStore {
    /// The alert with that id, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
        get(&self.reader(), id)
    }

    /// A page of the alerts that `filter` lets through, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, filter: &AlertFilter) -> Result<AlertPage, StoreError> {
        const DOING: &str = "listing alerts";
        let (conditions, mut values) = filter.conditions();
        let size = filter.page_size() as usize;
        // One more than asked for tells whether there is a next page.
        values.push((size as i64 + 1).into());
        let sql = format!("SELECT {COLUMNS} FROM alert {conditions} ORDER BY raised_us DESC, id DESC LIMIT ?");
        let rows = rows(&self.reader(), &sql, params_from_iter(values)).map_err(StoreError::sql(DOING))?;
        let mut alerts = rows.into_iter().map(|row| row.read(DOING)).collect::<Result<Vec<_>, _>>()?;
        let more = alerts.len() > size;
        alerts.truncate(size);
        let next = alerts.last().filter(|_| more).map(|last| Cursor { raised: last.alert.raised, id: last.alert.id });
        Ok(AlertPage { alerts, next })
    }

    /// What changed after change number `after`, oldest change first, at most `limit`. An alert that changed several
    /// times comes once, as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn changes_after(&self, after: u64, limit: u32) -> Result<Vec<StoredAlert>, StoreError> {
        const DOING: &str = "reading changes";
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let sql = format!("SELECT {COLUMNS} FROM alert WHERE change > ?1 ORDER BY change LIMIT ?2");
        let rows = rows(&self.reader(), &sql, [after, i64::from(limit)]).map_err(StoreError::sql(DOING))?;
        rows.into_iter().map(|row| row.read(DOING)).collect()
    }

    /// Number of the last change; 0 when nothing ever changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        self.reader()
            .query_row("SELECT value FROM counter WHERE name = 'change'", [], |row| row.get(0))
            .map_err(StoreError::sql("reading the last change"))
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn counts(&self) -> Result<StoreCounts, StoreError> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE verdict IS NULL),
                          (SELECT count(*) FROM snapshot), (SELECT value FROM counter WHERE name = 'conflict')
                   FROM alert";
        self.reader()
            .query_row(sql, [], |row| {
                Ok(StoreCounts {
                    alerts: row.get(0)?,
                    open: row.get(1)?,
                    unreviewed: row.get(2)?,
                    snapshots: row.get(3)?,
                    conflicts: row.get(4)?,
                })
            })
            .map_err(StoreError::sql("counting"))
    }
}

pub(super) fn get(connection: &Connection, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
    const DOING: &str = "reading an alert";
    let sql = format!("SELECT {COLUMNS} FROM alert WHERE id = ?1");
    let row = connection
        .prepare_cached(&sql)
        .and_then(|mut query| query.query_row([id.to_string()], Stored::of).optional())
        .map_err(StoreError::sql(DOING))?;
    row.map(|row| row.read(DOING)).transpose()
}

fn rows(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<Stored>> {
    connection.prepare_cached(sql)?.query_map(values, Stored::of)?.collect()
}

impl Stored {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let verdict: Option<String> = row.get(2)?;
        let verdict = match verdict {
            Some(word) => Some((word, row.get(3)?, row.get(4)?, row.get(5)?)),
            None => None,
        };
        Ok(Self { payload: row.get(0)?, change: row.get(1)?, verdict })
    }

    fn read(self, doing: &'static str) -> Result<StoredAlert, StoreError> {
        let damaged = |cause: String| StoreError::Damaged { doing, cause };
        let alert: Alert = serde_json::from_str(&self.payload).map_err(|cause| damaged(cause.to_string()))?;
        let verdict = match self.verdict {
            None => None,
            Some((word, by, note, at)) => {
                Some(Verdict { decision: word.parse().map_err(damaged)?, by, note, at: Timestamp::from_micros(at) })
            }
        };
        Ok(StoredAlert { alert, verdict, change: self.change })
    }
}
