//! Clips of alerts, and the reasons why there is none.

use bytes::Bytes;
use vedette_alerts::{ClipState, NoClip, StoredAlert};
use vedette_core::{Alert, AlertId, Timestamp};

use super::change::next_change;
use super::session::Value;
use super::{AlertStore, Cursor, StoreError, joining};

impl AlertStore {
    /// Stores the clip of an alert, `WebM`, in the form that may leave the system; a later one replaces it. The alert has changed then.
    ///
    /// # Errors
    /// When there is no such alert, or it cannot be written.
    pub fn put_clip(&self, id: AlertId, webm: &[u8]) -> Result<(), StoreError> {
        self.settle_clip(id, Value::Null, webm.into())
    }

    /// Stores why an alert has no clip, and deletes the one it has. The alert has changed then.
    ///
    /// # Errors
    /// When there is no such alert, or it cannot be written.
    pub fn put_no_clip(&self, id: AlertId, reason: NoClip) -> Result<(), StoreError> {
        self.settle_clip(id, reason.as_str().into(), Value::Null)
    }

    fn settle_clip(&self, id: AlertId, reason: Value<'_>, webm: Value<'_>) -> Result<(), StoreError> {
        const DOING: &str = "writing a clip";
        let id_text = id.to_string();
        self.write(DOING, |session| {
            let change = next_change(session)?;
            let sql = "UPDATE alert SET change = ?2, own_change = ?2 WHERE id = ?1";
            if session.execute(DOING, sql, &[(&*id_text).into(), change.into()])? == 0 {
                return Err(StoreError::UnknownAlert(id));
            }
            let sql = "INSERT INTO clip (alert, reason, webm) VALUES (?1, ?2, ?3)
                       ON CONFLICT (alert) DO UPDATE SET reason = excluded.reason, webm = excluded.webm";
            session.execute(DOING, sql, &[(&*id_text).into(), reason.clone(), webm.clone()])?;
            joining::touch_lead(session, id)
        })
    }

    /// The clip of an alert, `WebM`, if one is stored.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn clip(&self, id: AlertId) -> Result<Option<Bytes>, StoreError> {
        const DOING: &str = "reading a clip";
        let sql = "SELECT webm FROM clip WHERE alert = ?1 AND reason IS NULL";
        let row = self.read(|session| Ok(session.rows(DOING, sql, &[id.to_string().into()])?.pop()))?;
        Ok(match row {
            Some(mut row) => Some(Bytes::from(row.take::<Vec<u8>>(0)?)),
            None => None,
        })
    }

    /// Alerts raised from `from` until before `until` that have neither a clip nor a reason, in order of that time and of their ids, from
    /// behind `after` on; at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn without_clip(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        const DOING: &str = "looking for alerts without clip";
        let sql = "SELECT id, payload FROM alert
                   WHERE raised_us >= ?1 AND raised_us < ?2 AND (raised_us, id) > (?3, ?4)
                       AND NOT EXISTS (SELECT 1 FROM clip WHERE clip.alert = alert.id)
                   ORDER BY raised_us, id LIMIT ?5";
        let (raised, id) = after.map_or((i64::MIN, String::new()), |at| (at.at.as_micros(), at.id.to_string()));
        let values = [from.as_micros().into(), until.as_micros().into(), raised.into(), id.into(), limit.into()];
        let rows = self.read(|session| session.rows(DOING, sql, &values))?;
        Ok(rows.into_iter().filter_map(|row| self.alert_of(DOING, row)).collect())
    }

    /// Stores `reason` for every alert raised before `before` that has neither a clip nor a reason; returns their number. They do not count
    /// as changed: nobody waits for the clip of an old alert.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn give_up_clips(&self, before: Timestamp, reason: NoClip) -> Result<u64, StoreError> {
        const DOING: &str = "giving up clips";
        let sql = "INSERT INTO clip (alert, reason)
                   SELECT id, ?2 FROM alert WHERE raised_us < ?1
                       AND NOT EXISTS (SELECT 1 FROM clip WHERE clip.alert = alert.id)";
        let values = [before.as_micros().into(), reason.as_str().into()];
        self.write(DOING, |session| session.execute(DOING, sql, &values))
    }

    /// The alert as it is seen: without clips, none is pending.
    pub(super) fn settled(&self, stored: StoredAlert) -> StoredAlert {
        StoredAlert { clip: self.settled_clip(stored.clip), ..stored }
    }

    pub(super) const fn settled_clip(&self, clip: ClipState) -> ClipState {
        match clip {
            ClipState::Pending if !self.has_clips => ClipState::None(NoClip::Off),
            _ => clip,
        }
    }
}
