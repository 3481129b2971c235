use vedette_core::{Alert, AlertId, Timestamp};

use super::session::{Row, Session};
use super::{AlertFilter, AlertPage, AlertStore, Cursor, StoreCounts, StoreError, StoredAlert, Verdict};

/// The columns that [`stored`] reads, in its order.
const COLUMNS: &str = "payload, change, verdict, verdict_by, verdict_note, verdict_at_us";

impl AlertStore {
    /// The alert with that id, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
        self.read(|session| get(session, id))
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
        let last = values.len();
        let sql = format!("SELECT {COLUMNS} FROM alert {conditions} ORDER BY raised_us DESC, id DESC LIMIT ?{last}");
        let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let mut alerts = rows.into_iter().map(stored).collect::<Result<Vec<_>, _>>()?;
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
        let rows = self.read(|session| session.rows(DOING, &sql, &[after.into(), limit.into()]))?;
        rows.into_iter().map(stored).collect()
    }

    /// Number of the last change; 0 when nothing ever changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = 'change'";
        self.read(|session| session.row("reading the last change", sql)?.take(0))
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn counts(&self) -> Result<StoreCounts, StoreError> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE verdict IS NULL),
                          (SELECT count(*) FROM snapshot), (SELECT value FROM counter WHERE name = 'conflict')
                   FROM alert";
        let mut row = self.read(|session| session.row("counting", sql))?;
        Ok(StoreCounts {
            alerts: row.take(0)?,
            open: row.take(1)?,
            unreviewed: row.take(2)?,
            snapshots: row.take(3)?,
            conflicts: row.take(4)?,
        })
    }
}

pub(super) fn get(session: &mut dyn Session, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert WHERE id = ?1");
    let row = session.rows("reading an alert", &sql, &[id.to_string().into()])?.pop();
    row.map(stored).transpose()
}

fn stored(mut row: Row) -> Result<StoredAlert, StoreError> {
    let doing = row.doing();
    let damaged = |cause: String| StoreError::Damaged { doing, cause };
    let payload: String = row.take(0)?;
    let alert: Alert = serde_json::from_str(&payload).map_err(|cause| damaged(cause.to_string()))?;
    let verdict = match row.take::<Option<String>>(2)? {
        None => None,
        Some(word) => Some(Verdict {
            decision: word.parse().map_err(damaged)?,
            by: row.take(3)?,
            note: row.take(4)?,
            at: Timestamp::from_micros(row.take(5)?),
        }),
    };
    Ok(StoredAlert { alert, verdict, change: row.take(1)? })
}
