use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use vedette_core::{AlertId, Timestamp};

use super::{AlertStore, EvidenceLook, StoreError};

impl AlertStore {
    /// Keeps the snapshot of an alert, JPEG, as it may leave the system; a later one replaces it.
    ///
    /// # Errors
    /// When there is no such alert, or it cannot be written.
    pub fn put_snapshot(&self, id: AlertId, jpeg: &[u8]) -> Result<(), StoreError> {
        let written = self
            .writer()
            .execute(
                "INSERT INTO snapshot (alert, jpeg) SELECT id, ?2 FROM alert WHERE id = ?1
                 ON CONFLICT (alert) DO UPDATE SET jpeg = excluded.jpeg",
                params![id.to_string(), jpeg],
            )
            .map_err(StoreError::sql("writing a snapshot"))?;
        if written == 0 { Err(StoreError::UnknownAlert(id)) } else { Ok(()) }
    }

    /// The snapshot of an alert, JPEG, if one was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn snapshot(&self, id: AlertId) -> Result<Option<Bytes>, StoreError> {
        self.reader()
            .query_row("SELECT jpeg FROM snapshot WHERE alert = ?1", [id.to_string()], |row| row.get::<_, Vec<u8>>(0))
            .optional()
            .map(|jpeg| jpeg.map(Bytes::from))
            .map_err(StoreError::sql("reading a snapshot"))
    }

    /// Records a look at evidence. Write it before the evidence leaves.
    ///
    /// # Errors
    /// When it cannot be written; the evidence must then not leave.
    pub fn record_look(&self, look: &EvidenceLook) -> Result<(), StoreError> {
        self.writer()
            .execute(
                "INSERT INTO look (alert, at_us, who, peer, reason, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![look.alert.to_string(), look.at.as_micros(), look.who, look.peer, look.reason, look.what],
            )
            .map_err(StoreError::sql("recording a look at evidence"))?;
        metrics::counter!("vedette_alerts_evidence_looks_total").increment(1);
        Ok(())
    }

    /// The looks at the evidence of one alert, newest first, at most 1000.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looks(&self, id: AlertId) -> Result<Vec<EvidenceLook>, StoreError> {
        const DOING: &str = "reading looks at evidence";
        let reader = self.reader();
        let mut query = reader
            .prepare_cached(
                "SELECT at_us, who, peer, reason, what FROM look WHERE alert = ?1 ORDER BY number DESC LIMIT 1000",
            )
            .map_err(StoreError::sql(DOING))?;
        let looks = query.query_map([id.to_string()], |row| {
            Ok(EvidenceLook {
                alert: id,
                at: Timestamp::from_micros(row.get(0)?),
                who: row.get(1)?,
                peer: row.get(2)?,
                reason: row.get(3)?,
                what: row.get(4)?,
            })
        });
        looks.and_then(Iterator::collect).map_err(StoreError::sql(DOING))
    }
}
