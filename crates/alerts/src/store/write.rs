use rusqlite::{Connection, OptionalExtension, params};
use vedette_core::{Alert, AlertId, AlertStatus, Timestamp};

use super::{AlertStore, RecordPosition, StoreError, StoredAlert, Upserted, Verdict};

impl AlertStore {
    /// Takes an alert, any number of times and in any order of its revisions; the latest revision stays.
    ///
    /// A verdict stays with the alert when a later revision comes. `position` is where the alert was read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn upsert(&self, alert: &Alert, position: Option<RecordPosition>) -> Result<Upserted, StoreError> {
        let outcomes = self.upsert_all([(alert, position)])?;
        Ok(outcomes.into_iter().next().expect("one alert gives one outcome"))
    }

    /// Takes several alerts in one transaction: all are durable when it returns, or none is.
    ///
    /// # Errors
    /// When one cannot be written; the store is then as before.
    pub fn upsert_all<'a>(
        &self,
        alerts: impl IntoIterator<Item = (&'a Alert, Option<RecordPosition>)>,
    ) -> Result<Vec<Upserted>, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction().map_err(StoreError::sql("starting a transaction"))?;
        let mut outcomes = Vec::new();
        for (alert, position) in alerts {
            outcomes.push(upsert(&transaction, alert, position)?);
        }
        transaction.commit().map_err(StoreError::sql("committing alerts"))?;
        drop(writer);
        for outcome in &outcomes {
            metrics::counter!("vedette_alerts_upserts_total", "outcome" => outcome.as_str()).increment(1);
        }
        Ok(outcomes)
    }

    /// Records what a person decided. A later verdict replaces an earlier one; all are kept in the history.
    ///
    /// # Errors
    /// When there is no such alert, or it cannot be written.
    pub fn set_verdict(&self, id: AlertId, verdict: &Verdict) -> Result<StoredAlert, StoreError> {
        const DOING: &str = "writing a verdict";
        let mut writer = self.writer();
        let transaction = writer.transaction().map_err(StoreError::sql(DOING))?;
        let change = next_change(&transaction)?;
        let (id_text, word, at) = (id.to_string(), verdict.decision.as_str(), verdict.at.as_micros());
        let known = transaction
            .prepare_cached(
                "UPDATE alert SET verdict = ?2, verdict_by = ?3, verdict_note = ?4, verdict_at_us = ?5, change = ?6
                 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id_text, word, verdict.by, verdict.note, at, change]))
            .map_err(StoreError::sql(DOING))?;
        if known == 0 {
            return Err(StoreError::UnknownAlert(id));
        }
        transaction
            .prepare_cached("INSERT INTO verdict (alert, verdict, by, note, at_us) VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut insert| insert.execute(params![id_text, word, verdict.by, verdict.note, at]))
            .map_err(StoreError::sql(DOING))?;
        let stored = super::read::get(&transaction, id)?.ok_or(StoreError::UnknownAlert(id))?;
        transaction.commit().map_err(StoreError::sql(DOING))?;
        metrics::counter!("vedette_alerts_verdicts_total", "verdict" => word).increment(1);
        Ok(stored)
    }

    /// Deletes alerts that ended before `moment` (or were raised before it and never ended) with their snapshots and
    /// verdicts, and looks at evidence before it; gives the number of alerts. What is deleted cannot be read back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn delete_older_than(&self, moment: Timestamp) -> Result<u64, StoreError> {
        const DOING: &str = "deleting alerts whose retention is over";
        let mut writer = self.writer();
        let transaction = writer.transaction().map_err(StoreError::sql(DOING))?;
        let at = moment.as_micros();
        let deleted = transaction
            .execute("DELETE FROM alert WHERE raised_us < ?1 AND coalesce(ended_us, raised_us) < ?1", [at])
            .map_err(StoreError::sql(DOING))?;
        transaction.execute("DELETE FROM look WHERE at_us < ?1", [at]).map_err(StoreError::sql(DOING))?;
        transaction.commit().map_err(StoreError::sql(DOING))?;
        if deleted > 0 {
            // The log still holds the old pages until it is truncated.
            writer
                .execute_batch("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(StoreError::sql(DOING))?;
        }
        metrics::counter!("vedette_alerts_deleted_total").increment(deleted as u64);
        Ok(deleted as u64)
    }
}

fn upsert(connection: &Connection, alert: &Alert, position: Option<RecordPosition>) -> Result<Upserted, StoreError> {
    const DOING: &str = "writing an alert";
    let payload = payload(alert)?;
    let known: Option<(u32, bool)> = connection
        .prepare_cached("SELECT revision, payload = ?2 FROM alert WHERE id = ?1")
        .and_then(|mut query| {
            query.query_row(params![alert.id.to_string(), payload], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(StoreError::sql(DOING))?;
    let outcome = match known {
        None => Upserted::Inserted,
        Some((revision, _)) if revision < alert.revision => Upserted::Superseded,
        Some((revision, _)) if revision > alert.revision => Upserted::Stale,
        Some((_, true)) => Upserted::Unchanged,
        Some((_, false)) => Upserted::Conflict,
    };
    if outcome == Upserted::Conflict {
        connection
            .execute("UPDATE counter SET value = value + 1 WHERE name = 'conflict'", [])
            .map_err(StoreError::sql("counting a conflict"))?;
    }
    if outcome.changed() {
        let change = next_change(connection)?;
        write(connection, alert, &payload, position, change).map_err(StoreError::sql(DOING))?;
        write_responsible(connection, alert).map_err(StoreError::sql(DOING))?;
    }
    Ok(outcome)
}

/// The alert as JSON, checked that it reads back: JSON has no way to write a number that is not finite.
fn payload(alert: &Alert) -> Result<String, StoreError> {
    let unstorable = |cause| StoreError::Unstorable { alert: alert.id, cause };
    let payload = serde_json::to_string(alert).map_err(unstorable)?;
    serde_json::from_str::<Alert>(&payload).map_err(unstorable)?;
    Ok(payload)
}

fn next_change(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .prepare_cached("UPDATE counter SET value = value + 1 WHERE name = 'change' RETURNING value")
        .and_then(|mut update| update.query_row([], |row| row.get(0)))
        .map_err(StoreError::sql("numbering a change"))
}

fn write(
    connection: &Connection,
    alert: &Alert,
    payload: &str,
    position: Option<RecordPosition>,
    change: i64,
) -> rusqlite::Result<usize> {
    let code = alert.place.address.as_ref().map(|address| address.best.code.to_string());
    let offset = position.map(|at| i64::try_from(at.offset).unwrap_or(i64::MAX));
    connection
        .prepare_cached(
            "INSERT INTO alert (id, revision, change, camera, kind, severity, status, raised_us, ended_us, code,
                                source_partition, source_offset, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (id) DO UPDATE SET
                revision = excluded.revision, change = excluded.change, camera = excluded.camera,
                kind = excluded.kind, severity = excluded.severity, status = excluded.status,
                raised_us = excluded.raised_us, ended_us = excluded.ended_us, code = excluded.code,
                source_partition = excluded.source_partition, source_offset = excluded.source_offset,
                payload = excluded.payload",
        )?
        .execute(params![
            alert.id.to_string(),
            alert.revision,
            change,
            alert.camera.as_str(),
            alert.kind.as_str(),
            alert.severity as i64,
            status_word(alert.status),
            alert.raised.as_micros(),
            alert.ended.map(Timestamp::as_micros),
            code,
            position.map(|at| at.partition),
            offset,
            payload,
        ])
}

/// Who answers for the alert's place, for the filter by unit; the alert itself says it too.
fn write_responsible(connection: &Connection, alert: &Alert) -> rusqlite::Result<()> {
    let id = alert.id.to_string();
    connection.prepare_cached("DELETE FROM responsible WHERE alert = ?1")?.execute([&id])?;
    for unit in alert.place.address.iter().flat_map(|address| &address.responsible) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO responsible (alert, kind, code) VALUES (?1, ?2, ?3)")?
            .execute(params![id, unit.kind, unit.code])?;
    }
    Ok(())
}

pub(super) const fn status_word(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Open => "open",
        AlertStatus::Ended => "ended",
    }
}
