use bytes::Bytes;
use vedette_core::{Alert, AlertId, Timestamp};

use super::session::Row;
use super::{AlertStore, Cursor, EvidenceLook, StoreError};
use crate::metrics;

/// A page of evidence views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookPage {
    /// The views, newest first.
    pub looks: Vec<EvidenceLook>,
    /// Where the next page begins; none on the last one.
    pub next: Option<u64>,
}

impl AlertStore {
    /// Stores the snapshot of an alert, JPEG, in the form that may leave the system; a later one replaces it.
    ///
    /// # Errors
    /// When there is no such alert, or it cannot be written.
    pub fn put_snapshot(&self, id: AlertId, jpeg: &[u8]) -> Result<(), StoreError> {
        const DOING: &str = "writing a snapshot";
        let id_text = id.to_string();
        self.write(DOING, |session| {
            if session.rows(DOING, "SELECT 1 FROM alert WHERE id = ?1", &[(&*id_text).into()])?.is_empty() {
                return Err(StoreError::UnknownAlert(id));
            }
            let sql = "INSERT INTO snapshot (alert, jpeg) VALUES (?1, ?2)
                       ON CONFLICT (alert) DO UPDATE SET jpeg = excluded.jpeg";
            session.execute(DOING, sql, &[(&*id_text).into(), jpeg.into()])?;
            Ok(())
        })
    }

    /// The snapshot of an alert, JPEG, if one is stored.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn snapshot(&self, id: AlertId) -> Result<Option<Bytes>, StoreError> {
        const DOING: &str = "reading a snapshot";
        let sql = "SELECT jpeg FROM snapshot WHERE alert = ?1";
        let row = self.read(|session| Ok(session.rows(DOING, sql, &[id.to_string().into()])?.pop()))?;
        Ok(match row {
            Some(mut row) => Some(Bytes::from(row.take::<Vec<u8>>(0)?)),
            None => None,
        })
    }

    /// Records an evidence view. Write it before the evidence is disclosed.
    ///
    /// # Errors
    /// When it cannot be written; the evidence must then not be disclosed.
    pub fn record_look(&self, look: &EvidenceLook) -> Result<(), StoreError> {
        const DOING: &str = "recording a look at evidence";
        let sql = "INSERT INTO look (alert, at_us, who, peer, reason, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = [
            look.alert.to_string().into(),
            look.at.as_micros().into(),
            (&*look.who).into(),
            (&*look.peer).into(),
            (&*look.reason).into(),
            (&*look.what).into(),
        ];
        self.write(DOING, |session| session.execute(DOING, sql, &values))?;
        metrics::EVIDENCE_LOOKS.get().increment(1);
        Ok(())
    }

    /// The evidence views of one alert, newest first, at most 1000.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looks(&self, id: AlertId) -> Result<Vec<EvidenceLook>, StoreError> {
        Ok(self.looks_before(id, None, 1000)?.looks)
    }

    /// A page of at most `limit` evidence views of one alert, newest first: the newest ones, or those after the page whose `next`
    /// was `before`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looks_before(&self, id: AlertId, before: Option<u64>, limit: u32) -> Result<LookPage, StoreError> {
        const DOING: &str = "reading looks at evidence";
        let sql = "SELECT number, at_us, who, peer, reason, what FROM look WHERE alert = ?1 AND number < ?2
                   ORDER BY number DESC LIMIT ?3";
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        // One more tells whether there is another page.
        let values = [id.to_string().into(), before.into(), (i64::from(limit) + 1).into()];
        let mut rows = self.read(|session| session.rows(DOING, sql, &values))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let mut next = None;
        let mut look = |mut row: Row| -> Result<EvidenceLook, StoreError> {
            next = u64::try_from(row.take::<i64>(0)?).ok();
            Ok(EvidenceLook {
                alert: id,
                at: Timestamp::from_micros(row.take(1)?),
                who: row.take(2)?,
                peer: row.take(3)?,
                reason: row.take(4)?,
                what: row.take(5)?,
            })
        };
        let readable = |row| look(row).inspect_err(|error| self.damage.leave_out(&id.to_string(), error)).ok();
        let looks = rows.into_iter().filter_map(readable).collect();
        Ok(LookPage { looks, next: next.filter(|_| more) })
    }

    /// Alerts raised at or after `from` that have no snapshot, in order of that time and of their ids, from behind `after` on; at most
    /// `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn without_snapshot(
        &self,
        from: Timestamp,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        const DOING: &str = "looking for alerts without snapshot";
        let sql = "SELECT id, payload FROM alert
                   WHERE raised_us >= ?1 AND (raised_us, id) > (?2, ?3)
                       AND NOT EXISTS (SELECT 1 FROM snapshot WHERE snapshot.alert = alert.id)
                   ORDER BY raised_us, id LIMIT ?4";
        let (raised, id) = after.map_or((i64::MIN, String::new()), |at| (at.raised.as_micros(), at.id.to_string()));
        let values = [from.as_micros().into(), raised.into(), id.into(), limit.into()];
        let rows = self.read(|session| session.rows(DOING, sql, &values))?;
        let readable = |mut row: Row| {
            let id = row.text(0);
            let payload: Result<String, StoreError> = row.take(1);
            let alert = payload.and_then(|payload| {
                serde_json::from_str(&payload)
                    .map_err(|cause| StoreError::Damaged { doing: DOING, cause: cause.to_string() })
            });
            alert.inspect_err(|error| self.damage.leave_out(&id, error)).ok()
        };
        Ok(rows.into_iter().filter_map(readable).collect())
    }
}
