//! How far the store has got on the topic it is filled from: beside the commit of its consumer group, since the store may be lost,
//! emptied or replaced by an older copy while the commit stays.

use vedette_core::{Alert, Timestamp};

use super::position::{number, pass};
use super::session::Value;
use super::write::upsert;
use super::{AlertStore, Progress, RecordPosition, StoreError, Upserted};
use crate::metrics;

/// Name of the counter with the time by which retention last judged.
const JUDGED: &str = "judged_us";

impl AlertStore {
    /// How far the store has got in each partition that it has records of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        let sql = "SELECT partition, next, missing_from, missing_to FROM progress ORDER BY partition";
        let rows = self.read(|session| session.rows("reading the positions of the store", sql, &[]))?;
        rows.into_iter()
            .map(|mut row| {
                let (partition, next) = (row.take(0)?, row.take(1)?);
                let missing: (Option<u64>, Option<u64>) = (row.take(2)?, row.take(3)?);
                let missing = missing.0.zip(missing.1).map(|(from, to)| from..to);
                Ok(Progress { partition, next, missing })
            })
            .collect()
    }

    /// Sets how far the store has got in one partition.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_progress(&self, progress: &Progress) -> Result<(), StoreError> {
        const DOING: &str = "writing the position of the store";
        let sql = "INSERT INTO progress (partition, next, missing_from, missing_to) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (partition) DO UPDATE SET
                      next = excluded.next, missing_from = excluded.missing_from, missing_to = excluded.missing_to";
        let missing = progress.missing.as_ref();
        let values = [
            progress.partition.into(),
            number(progress.next).into(),
            missing.map(|range| number(range.start)).into(),
            missing.map(|range| number(range.end)).into(),
        ];
        self.write(DOING, |session| session.execute(DOING, sql, &values)).map(drop)
    }

    /// The record at `position` needs no more work: it holds no alert that can be stored.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn pass(&self, position: RecordPosition) -> Result<(), StoreError> {
        self.write("writing the position of the store", |session| pass(session, position))
    }

    /// Stores alerts that the store lacks in `partition`, in one transaction: all records before `next` are then there.
    ///
    /// # Errors
    /// When one cannot be written; the store is then unchanged.
    pub fn refill(&self, partition: u32, alerts: &[(Alert, u64)], next: u64) -> Result<Vec<Upserted>, StoreError> {
        const DOING: &str = "filling up the store";
        let done = self.write(DOING, |session| {
            let mut done = Vec::with_capacity(alerts.len());
            for (alert, offset) in alerts {
                let position = RecordPosition { partition, offset: *offset };
                done.push(upsert(session, self.joins.as_ref(), alert, Some(position), &self.damage)?);
            }
            let sql = "UPDATE progress SET
                          missing_from = CASE WHEN ?2 < missing_to THEN ?2 END,
                          missing_to = CASE WHEN ?2 < missing_to THEN missing_to END
                       WHERE partition = ?1 AND missing_to IS NOT NULL";
            session.execute(DOING, sql, &[partition.into(), number(next).into()])?;
            Ok(done)
        })?;
        for (outcome, joined) in &done {
            metrics::UPSERTS.with([outcome.as_str()]).increment(1);
            metrics::JOINED.get().increment(*joined);
        }
        Ok(done.into_iter().map(|(outcome, _)| outcome).collect())
    }

    /// The latest time that is known to have been: that by which retention last judged, or else that of the newest alert.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn latest_known(&self) -> Result<Option<Timestamp>, StoreError> {
        const DOING: &str = "reading the newest time";
        let sql = "SELECT coalesce((SELECT value FROM counter WHERE name = ?1), (SELECT max(raised_us) FROM alert))";
        let row = self.read(|session| Ok(session.rows(DOING, sql, &[JUDGED.into()])?.pop()))?;
        let known: Option<i64> = row.map_or(Ok(None), |mut row| row.take(0))?;
        Ok(known.map(Timestamp::from_micros))
    }

    /// Remembers the time by which retention judged.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_latest_known(&self, at: Timestamp) -> Result<(), StoreError> {
        const DOING: &str = "writing the time of retention";
        let sql =
            "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let values: [Value<'_>; 2] = [JUDGED.into(), at.as_micros().into()];
        self.write(DOING, |session| session.execute(DOING, sql, &values)).map(drop)
    }
}
