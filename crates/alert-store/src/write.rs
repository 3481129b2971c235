use vedette_access::{Areas, AuditEntry};
use vedette_alerts::event::{OneEvent, Sighting};
use vedette_alerts::{StoredAlert, Verdict};
use vedette_core::{Alert, AlertId, Timestamp};

use super::areas::Inside;
use super::cameras::write_alert_groups;
use super::change::next_change;
use super::damage::Damage;
use super::position::pass;
use super::session::{Row, Session, Value};
use super::{AlertStore, RecordPosition, StoreError, Upserted, audit, entries, joining};
use crate::metrics;

impl AlertStore {
    /// Stores an alert, any number of times and in any order of its revisions; the latest revision is kept. With correlation
    /// enabled, this decides which event it belongs to, and which other alerts change their event.
    ///
    /// A verdict stays with the alert across revisions. `position` is where the alert was read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn upsert(&self, alert: &Alert, position: Option<RecordPosition>) -> Result<Upserted, StoreError> {
        let outcomes = self.upsert_all([(alert, position)])?;
        Ok(outcomes.into_iter().next().expect("one alert gives one outcome"))
    }

    /// Stores several alerts in one transaction: all are durable when it returns, or none is.
    ///
    /// # Errors
    /// When one cannot be written; the store is then unchanged.
    pub fn upsert_all<'a>(
        &self,
        alerts: impl IntoIterator<Item = (&'a Alert, Option<RecordPosition>)>,
    ) -> Result<Vec<Upserted>, StoreError> {
        let alerts: Vec<_> = alerts.into_iter().collect();
        let done: Vec<(Upserted, u64)> = self.write("writing alerts", |session| {
            alerts
                .iter()
                .map(|(alert, position)| upsert(session, self.joins.as_ref(), alert, *position, &self.damage))
                .collect()
        })?;
        for (outcome, joined) in &done {
            metrics::UPSERTS.with([outcome.as_str()]).increment(1);
            metrics::JOINED.get().increment(*joined);
        }
        Ok(done.into_iter().map(|(outcome, _)| outcome).collect())
    }

    /// Records a person's verdict on an alert inside of `areas`, with its row of the audit log. A later verdict replaces an earlier one; all are kept in the history.
    ///
    /// # Errors
    /// When there is no such alert inside of `areas`, or it cannot be written.
    pub fn set_verdict(
        &self,
        id: AlertId,
        verdict: &Verdict,
        areas: &Areas,
        act: Option<&AuditEntry>,
    ) -> Result<StoredAlert, StoreError> {
        const DOING: &str = "writing a verdict";
        let (id_text, word, at) = (id.to_string(), verdict.decision.as_str(), verdict.at.as_micros());
        let said: [Value<'_>; 5] =
            [(&*id_text).into(), word.into(), (&*verdict.by).into(), (&*verdict.note).into(), at.into()];
        let stored = self.write(DOING, |session| {
            require_inside(session, DOING, id, areas)?;
            let change = next_change(session)?;
            let sql =
                "UPDATE alert SET verdict = ?2, verdict_by = ?3, verdict_note = ?4, verdict_at_us = ?5, change = ?6,
                           own_change = ?6
                       WHERE id = ?1";
            let values: Vec<Value<'_>> = said.iter().cloned().chain([change.into()]).collect();
            if session.execute(DOING, sql, &values)? == 0 {
                return Err(StoreError::UnknownAlert(id));
            }
            let sql = "INSERT INTO verdict (alert, verdict, by, note, at_us) VALUES (?1, ?2, ?3, ?4, ?5)";
            session.execute(DOING, sql, &said)?;
            joining::touch_lead(session, id)?;
            audit::append(session, act)?;
            entries::get(session, id, areas, &self.damage)?.ok_or(StoreError::UnknownAlert(id))
        })?;
        metrics::VERDICTS.with([word]).increment(1);
        Ok(self.settled(stored))
    }

    /// Deletes alerts that ended before `moment` (or were raised before it and never ended) with their snapshots, clips
    /// and verdicts; returns the number of alerts. Deleted data is unrecoverable. An event whose lead is deleted continues under its
    /// next alert. The audit log stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn delete_older_than(&self, moment: Timestamp) -> Result<u64, StoreError> {
        const DOING: &str = "deleting alerts whose retention is over";
        let at = [moment.as_micros().into()];
        let deleted = self.write(DOING, |session| {
            let sql = "DELETE FROM alert WHERE raised_us < ?1 AND coalesce(ended_us, raised_us) < ?1";
            let deleted = session.execute(DOING, sql, &at)?;
            joining::replace_deleted_leads(session, moment.as_micros(), &self.damage)?;
            Ok(deleted)
        })?;
        if deleted > 0 {
            self.reclaim(DOING)?;
        }
        metrics::DELETED.get().increment(deleted);
        Ok(deleted)
    }
}

/// One outside of the areas is as one that does not exist.
fn require_inside(
    session: &mut dyn Session,
    doing: &'static str,
    id: AlertId,
    areas: &Areas,
) -> Result<(), StoreError> {
    let mut values: Vec<Value<'static>> = vec![id.to_string().into()];
    let Some(inside) = Inside::new(areas, &mut values) else { return Ok(()) };
    let sql = format!("SELECT 1 FROM alert WHERE id = ?1 AND {}", inside.alert("alert"));
    match session.rows(doing, &sql, &values)?.is_empty() {
        true => Err(StoreError::UnknownAlert(id)),
        false => Ok(()),
    }
}

/// The alert's effect, and how many alerts became views of another by it.
pub(super) fn upsert(
    session: &mut dyn Session,
    joins: Option<&OneEvent>,
    alert: &Alert,
    position: Option<RecordPosition>,
    damage: &Damage,
) -> Result<(Upserted, u64), StoreError> {
    const DOING: &str = "writing an alert";
    let payload = payload(alert)?;
    let sql = "SELECT revision, CASE WHEN payload = ?2 THEN 1 ELSE 0 END FROM alert WHERE id = ?1";
    let known = session.rows(DOING, sql, &[alert.id.to_string().into(), (&*payload).into()])?.pop();
    // One whose revision cannot be read is written anew.
    let revision = |mut row: Row| -> Result<(u32, bool), StoreError> { Ok((row.take(0)?, row.take(1)?)) };
    let known: Option<(u32, bool)> = known.and_then(|row| damage.readable(&alert.id.to_string(), revision(row)));
    let outcome = match known {
        None => Upserted::Inserted,
        Some((revision, _)) if revision < alert.revision => Upserted::Superseded,
        Some((revision, _)) if revision > alert.revision => Upserted::Stale,
        Some((_, true)) => Upserted::Unchanged,
        Some((_, false)) if differs_by_version(session, alert)? => Upserted::Unchanged,
        Some((_, false)) => Upserted::Conflict,
    };
    if outcome == Upserted::Conflict {
        let sql = "UPDATE counter SET value = value + 1 WHERE name = 'conflict'";
        session.execute("counting a conflict", sql, &[])?;
    }
    if outcome.changed() {
        let change = next_change(session)?;
        write(session, DOING, alert, &payload, position, change)?;
        write_responsible(session, DOING, alert)?;
        write_alert_groups(session, &alert.id.to_string())?;
    }
    let joined = match joins {
        Some(rule) if outcome.changed() => joining::rejoin(session, rule, alert.id, Sighting::of(alert), damage)?,
        _ => 0,
    };
    if outcome == Upserted::Superseded {
        joining::touch_lead(session, alert.id)?;
    }
    if let Some(position) = position {
        pass(session, position)?;
    }
    Ok((outcome, joined))
}

/// Whether the stored alert differs only in that one of the two is of a version without event codes: after an upgrade the
/// alerts since the last checkpoint are repeated.
fn differs_by_version(session: &mut dyn Session, alert: &Alert) -> Result<bool, StoreError> {
    let sql = "SELECT payload FROM alert WHERE id = ?1";
    let Some(mut row) = session.rows("comparing an alert", sql, &[alert.id.to_string().into()])?.pop() else {
        return Ok(false);
    };
    let stored: String = row.take(0)?;
    let Ok(stored) = serde_json::from_str::<Alert>(&stored) else { return Ok(false) };
    let without_code = |alert: Alert| Alert { event_code: None, ..alert };
    Ok(stored.event_code.is_none() != alert.event_code.is_none() && without_code(stored) == without_code(alert.clone()))
}

/// The alert as JSON, checked by reading it back: JSON cannot represent a number that is not finite.
fn payload(alert: &Alert) -> Result<String, StoreError> {
    let unstorable = |cause| StoreError::Unstorable { alert: alert.id, cause };
    let payload = serde_json::to_string(alert).map_err(unstorable)?;
    serde_json::from_str::<Alert>(&payload).map_err(unstorable)?;
    Ok(payload)
}

fn write(
    session: &mut dyn Session,
    doing: &'static str,
    alert: &Alert,
    payload: &str,
    position: Option<RecordPosition>,
    change: i64,
) -> Result<(), StoreError> {
    let code = alert.place.address.as_ref().map(|address| address.best.code.to_string());
    let offset = position.map(|at| i64::try_from(at.offset).unwrap_or(i64::MAX));
    let sql = "INSERT INTO alert (id, revision, change, camera, kind, severity, status, raised_us, ended_us, code,
                                  source_partition, source_offset, payload, event, event_us, own_change, rule)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?1, ?8, ?3, ?14)
               ON CONFLICT (id) DO UPDATE SET
                  revision = excluded.revision, change = excluded.change, camera = excluded.camera,
                  kind = excluded.kind, severity = excluded.severity, status = excluded.status,
                  raised_us = excluded.raised_us, ended_us = excluded.ended_us, code = excluded.code,
                  source_partition = excluded.source_partition, source_offset = excluded.source_offset,
                  payload = excluded.payload, own_change = excluded.own_change, rule = excluded.rule";
    let values = [
        alert.id.to_string().into(),
        alert.revision.into(),
        change.into(),
        alert.camera.as_str().into(),
        alert.kind.as_str().into(),
        (alert.severity as i64).into(),
        alert.status.as_str().into(),
        alert.raised.as_micros().into(),
        alert.ended.map(Timestamp::as_micros).into(),
        code.into(),
        position.map(|at| at.partition).into(),
        offset.into(),
        payload.into(),
        alert.rule.as_str().into(),
    ];
    session.execute(doing, sql, &values)?;
    Ok(())
}

/// Stores the units responsible for the alert's place, for the filter by unit; the alert itself contains them too.
fn write_responsible(session: &mut dyn Session, doing: &'static str, alert: &Alert) -> Result<(), StoreError> {
    let id = alert.id.to_string();
    session.execute(doing, "DELETE FROM responsible WHERE alert = ?1", &[(&*id).into()])?;
    let sql = "INSERT INTO responsible (alert, kind, code) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    for unit in alert.place.address.iter().flat_map(|address| &address.responsible) {
        session.execute(doing, sql, &[(&*id).into(), (&*unit.kind).into(), (&*unit.code).into()])?;
    }
    Ok(())
}
