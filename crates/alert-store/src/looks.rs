//! The audit log of evidence views.

use vedette_core::{AlertId, Timestamp};

use super::session::Row;
use super::{AlertStore, EvidenceLook, Looked, StoreError};
use crate::metrics;

/// The table of views, its column with the key, and the key.
fn place(of: &Looked) -> (&'static str, &'static str, String) {
    match of {
        Looked::Alert(id) => ("look", "alert", id.to_string()),
        Looked::Camera(id) => ("camera_look", "camera", id.to_string()),
    }
}

/// A page of evidence views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookPage {
    /// The views, newest first.
    pub looks: Vec<EvidenceLook>,
    /// Where the next page begins; none on the last one.
    pub next: Option<u64>,
}

impl AlertStore {
    /// Records an evidence view. Write it before the evidence is disclosed.
    ///
    /// # Errors
    /// When it cannot be written; the evidence must then not be disclosed.
    pub fn record_look(&self, look: &EvidenceLook) -> Result<(), StoreError> {
        const DOING: &str = "recording a look at evidence";
        let (table, column, key) = place(&look.of);
        let sql =
            format!("INSERT INTO {table} ({column}, at_us, who, peer, reason, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
        let values = [
            key.into(),
            look.at.as_micros().into(),
            (&*look.who).into(),
            (&*look.peer).into(),
            (&*look.reason).into(),
            (&*look.what).into(),
        ];
        self.write(DOING, |session| session.execute(DOING, &sql, &values))?;
        metrics::EVIDENCE_LOOKS.get().increment(1);
        Ok(())
    }

    /// The evidence views of one alert, newest first, at most 1000.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looks(&self, id: AlertId) -> Result<Vec<EvidenceLook>, StoreError> {
        Ok(self.looks_before(&Looked::Alert(id), None, 1000)?.looks)
    }

    /// A page of at most `limit` views of an alert's evidence or of a camera, newest first: the newest ones, or those after the page whose
    /// `next` was `before`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looks_before(&self, of: &Looked, before: Option<u64>, limit: u32) -> Result<LookPage, StoreError> {
        const DOING: &str = "reading looks at evidence";
        let (table, column, key) = place(of);
        let sql = format!(
            "SELECT number, at_us, who, peer, reason, what FROM {table} WHERE {column} = ?1 AND number < ?2
             ORDER BY number DESC LIMIT ?3"
        );
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        // One more tells whether there is another page.
        let values = [(&*key).into(), before.into(), (i64::from(limit) + 1).into()];
        let mut rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let mut next = None;
        let mut look = |mut row: Row| -> Result<EvidenceLook, StoreError> {
            next = u64::try_from(row.take::<i64>(0)?).ok();
            Ok(EvidenceLook {
                of: of.clone(),
                at: Timestamp::from_micros(row.take(1)?),
                who: row.take(2)?,
                peer: row.take(3)?,
                reason: row.take(4)?,
                what: row.take(5)?,
            })
        };
        let readable = |row| look(row).inspect_err(|error| self.damage.leave_out(&key, error)).ok();
        let looks = rows.into_iter().filter_map(readable).collect();
        Ok(LookPage { looks, next: next.filter(|_| more) })
    }
}
