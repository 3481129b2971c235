use bytes::Bytes;
use vedette_core::{Alert, AlertId, Timestamp};

use super::session::Row;
use super::{AlertStore, Cursor, StoreError};

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
        let (raised, id) = after.map_or((i64::MIN, String::new()), |at| (at.at.as_micros(), at.id.to_string()));
        let values = [from.as_micros().into(), raised.into(), id.into(), limit.into()];
        let rows = self.read(|session| session.rows(DOING, sql, &values))?;
        Ok(rows.into_iter().filter_map(|row| self.alert_of(DOING, row)).collect())
    }

    /// The alert of a row with its id and its payload; none when it cannot be read.
    pub(super) fn alert_of(&self, doing: &'static str, mut row: Row) -> Option<Alert> {
        let id = row.text(0);
        let payload: Result<String, StoreError> = row.take(1);
        let alert = payload.and_then(|payload| {
            serde_json::from_str(&payload).map_err(|cause| StoreError::Damaged { doing, cause: cause.to_string() })
        });
        alert.inspect_err(|error| self.damage.leave_out(&id, error)).ok()
    }
}
