//! Cross-camera correlation of alerts into events: maintained as alerts arrive, in the transaction that writes them.
//!
//! The table `sighting` holds the data that correlation may use; `event` of an alert names the lead alert of its event
//! (itself when it is alone), `event_us` when that one was raised.

use std::collections::{BTreeMap, BTreeSet};

use vedette_alerts::event::{Crowd, Decided, Lead, OneEvent, Sighting, Touched, cells_around, settle};
use vedette_core::{AlertId, RuleKind};

use super::StoreError;
use super::change::next_change;
use super::damage::Damage;
use super::session::{Row, Session, Value};

const DOING: &str = "joining alerts of one event";
/// The columns that [`sighting`] reads, in its order.
const COLUMNS: &str =
    "alert, camera, rule, classes, started_us, raised_us, until_us, latitude_e7, longitude_e7, error_mm";

/// Updates the events for the new content `is` of alert `id`; returns how many alerts became views of another.
pub(super) fn rejoin(
    session: &mut dyn Session,
    rule: &OneEvent,
    id: AlertId,
    is: Option<Sighting>,
    damage: &Damage,
) -> Result<u64, StoreError> {
    let was = match kept(session, id, is.as_ref().map(|it| it.kind)) {
        Err(error @ StoreError::Damaged { .. }) => {
            damage.leave_out(&id.to_string(), &error);
            None
        }
        was => was?,
    };
    if was.as_ref().map(|(it, _)| it) == is.as_ref() {
        return Ok(0);
    }
    match &is {
        Some(is) => keep(session, is)?,
        None => {
            session.execute(DOING, "DELETE FROM sighting WHERE alert = ?1", &[id.to_string().into()])?;
        }
    }
    let mut touched = Vec::new();
    let was_joinable = was.as_ref().filter(|(_, crowded)| !crowded).map(|(it, _)| it.clone());
    if let Some((was, _)) = &was {
        touched.extend(mind_the_crowd(session, was, None, damage)?);
    }
    if let Some(is) = &is {
        touched.extend(mind_the_crowd(session, is, Some(id), damage)?);
    }
    touched.retain(|it: &Touched| !it.is(id));
    let is_joinable = match is {
        Some(is) if !is_crowded(session, id)? => Some(is),
        _ => None,
    };
    touched.push(Touched { was: was_joinable, is: is_joinable });
    let decided = settle(rule, &touched, &mut |it| near(session, rule, it, damage))?;
    apply(session, id, &decided)
}

/// Allocates a change number for the lead alert of `id`'s event, whose views have changed.
pub(super) fn touch_lead(session: &mut dyn Session, id: AlertId) -> Result<(), StoreError> {
    let sql = "SELECT event FROM alert WHERE id = ?1 AND event <> id";
    if let Some(mut row) = session.rows(DOING, sql, &[id.to_string().into()])?.pop() {
        number_change(session, &row.take::<String>(0)?)?;
    }
    Ok(())
}

/// Promotes the next alert of events whose lead was deleted.
pub(super) fn replace_deleted_leads(
    session: &mut dyn Session,
    before_us: i64,
    damage: &Damage,
) -> Result<(), StoreError> {
    let sql = "SELECT id, event, raised_us FROM alert WHERE event_us < ?1 AND event <> id
                   AND NOT EXISTS (SELECT 1 FROM alert AS lead WHERE lead.id = alert.event)
               ORDER BY event, raised_us, id";
    let mut leads: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for mut row in session.rows(DOING, sql, &[before_us.into()])? {
        let id: String = row.take(0)?;
        let Some((event, raised_us)) = readable(event_of(&mut row), &id, damage) else { continue };
        let (lead, lead_us) = leads.entry(event).or_insert_with(|| (id.clone(), raised_us));
        set_event(session, &id, lead, *lead_us)?;
        number_change(session, &id)?;
    }
    Ok(())
}

/// The sighting of an alert, and whether it is in a crowd. Its kind never changes, so it need not be read.
fn kept(
    session: &mut dyn Session,
    id: AlertId,
    kind: Option<RuleKind>,
) -> Result<Option<(Sighting, bool)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, crowded, kind FROM sighting WHERE alert = ?1");
    let Some(mut row) = session.rows(DOING, &sql, &[id.to_string().into()])?.pop() else { return Ok(None) };
    let (crowded, word): (bool, String) = (row.take(10)?, row.take(11)?);
    let kind = kind.filter(|kind| kind.as_str() == word).or_else(|| kind_of(&word));
    let kind =
        kind.ok_or_else(|| StoreError::Damaged { doing: DOING, cause: format!("`{word}` is not a valid kind") })?;
    Ok(Some((sighting(&mut row, kind)?, crowded)))
}

fn kind_of(word: &str) -> Option<RuleKind> {
    word.parse().ok()
}

fn keep(session: &mut dyn Session, it: &Sighting) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO sighting (alert, kind, cell, camera, rule, classes, started_us, raised_us, until_us, latitude_e7,
                                     longitude_e7, error_mm, crowded)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)
               ON CONFLICT (alert) DO UPDATE SET
                  kind = excluded.kind, cell = excluded.cell, camera = excluded.camera, rule = excluded.rule,
                  classes = excluded.classes, started_us = excluded.started_us, raised_us = excluded.raised_us,
                  until_us = excluded.until_us, latitude_e7 = excluded.latitude_e7,
                  longitude_e7 = excluded.longitude_e7, error_mm = excluded.error_mm, crowded = 0";
    let values = [
        it.id.to_string().into(),
        it.kind.as_str().into(),
        Crowd::of(it).cell.into(),
        (&*it.camera).into(),
        (&*it.rule).into(),
        it.classes.into(),
        it.started_us.into(),
        it.raised_us.into(),
        it.until_us.into(),
        it.latitude_e7.into(),
        it.longitude_e7.into(),
        it.error_mm.into(),
    ];
    session.execute(DOING, sql, &values)?;
    Ok(())
}

/// At the former or current place of `it`: updates the alerts there when they became a crowd or stopped being one, and returns
/// them. `newcomer` is the alert that is there now and was not before.
fn mind_the_crowd(
    session: &mut dyn Session,
    it: &Sighting,
    newcomer: Option<AlertId>,
    damage: &Damage,
) -> Result<Vec<Touched>, StoreError> {
    let crowd = Crowd::of(it);
    let there: [Value<'_>; 4] =
        [it.kind.as_str().into(), crowd.cell.into(), crowd.from_us.into(), crowd.until_us.into()];
    let condition = "kind = ?1 AND cell = ?2 AND raised_us BETWEEN ?3 AND ?4";
    let most = Crowd::MOST as i64;
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM sighting WHERE {condition} LIMIT {}) AS there", most + 2);
    let count: i64 = session.rows(DOING, &sql, &there)?.pop().map_or(Ok(0), |mut row| row.take(0))?;
    if let Some(id) = newcomer.filter(|_| count > most) {
        let sql = "UPDATE sighting SET crowded = 1 WHERE alert = ?1";
        session.execute(DOING, sql, &[id.to_string().into()])?;
    }
    // Only at the threshold does one more or less change them.
    if count != most && count != most + 1 {
        return Ok(Vec::new());
    }
    let crowded = count > most;
    let sql = format!("SELECT {COLUMNS} FROM sighting WHERE {condition} AND crowded = ?5");
    let before: Vec<Value<'_>> = there.iter().cloned().chain([i64::from(!crowded).into()]).collect();
    let rows = session.rows(DOING, &sql, &before)?;
    let sql = format!("UPDATE sighting SET crowded = ?5 WHERE {condition}");
    let after: Vec<Value<'_>> = there.into_iter().chain([i64::from(crowded).into()]).collect();
    session.execute(DOING, &sql, &after)?;
    let mut touched = Vec::new();
    for mut row in rows {
        let Some(other) = readable_sighting(&mut row, it.kind, damage) else { continue };
        let other = Some(other);
        touched.push(match crowded {
            true => Touched { was: other, is: None },
            false => Touched { was: None, is: other },
        });
    }
    Ok(touched)
}

fn is_crowded(session: &mut dyn Session, id: AlertId) -> Result<bool, StoreError> {
    let sql = "SELECT crowded FROM sighting WHERE alert = ?1";
    session.rows(DOING, sql, &[id.to_string().into()])?.pop().map_or(Ok(false), |mut row| row.take(0))
}

/// The alerts of other cameras that may be the same event as `it`.
fn near(
    session: &mut dyn Session,
    rule: &OneEvent,
    it: &Sighting,
    damage: &Damage,
) -> Result<Vec<Sighting>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sighting
         WHERE kind = ?1 AND cell IN (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) AND raised_us BETWEEN ?11 AND ?12
             AND started_us <= ?13 AND until_us >= ?14 AND camera <> ?15 AND crowded = 0"
    );
    let (raised_from, raised_until) = rule.raised_between(it);
    let (latest_start, earliest_end) = rule.overlapping(it);
    let mut values: Vec<Value<'_>> = vec![it.kind.as_str().into()];
    values.extend(cells_around(it).map(Value::from));
    values.extend([raised_from, raised_until, latest_start, earliest_end].map(Value::from));
    values.push((&*it.camera).into());
    let mut rows = session.rows(DOING, &sql, &values)?;
    Ok(rows.iter_mut().filter_map(|row| readable_sighting(row, it.kind, damage)).collect())
}

/// The event of an alert, in column 1, and when it was raised.
fn event_of(row: &mut Row) -> Result<(String, i64), StoreError> {
    Ok((row.take(1)?, row.take(2)?))
}

/// None for a row that cannot be read, which is counted: it is joined with nothing.
fn readable_sighting(row: &mut Row, kind: RuleKind, damage: &Damage) -> Option<Sighting> {
    let id = row.text(0);
    readable(sighting(row, kind), &id, damage)
}

fn readable<T>(read: Result<T, StoreError>, id: &str, damage: &Damage) -> Option<T> {
    read.inspect_err(|error| damage.leave_out(id, error)).ok()
}

/// Reads [`COLUMNS`].
fn sighting(row: &mut Row, kind: RuleKind) -> Result<Sighting, StoreError> {
    Ok(Sighting {
        id: row.take::<String>(0)?.parse().map_err(|cause| StoreError::Damaged { doing: DOING, cause })?,
        camera: row.take(1)?,
        kind,
        rule: row.take(2)?,
        classes: row.take(3)?,
        started_us: row.take(4)?,
        raised_us: row.take(5)?,
        until_us: row.take(6)?,
        latitude_e7: row.take(7)?,
        longitude_e7: row.take(8)?,
        error_mm: row.take(9)?,
    })
}

/// Stores the decisions that differ from the current state. Every alert that joins or leaves an event, and the leads of both,
/// get a change number; `fresh` has its own already.
fn apply(session: &mut dyn Session, fresh: AlertId, decided: &Decided) -> Result<u64, StoreError> {
    let mut changed: BTreeSet<String> = BTreeSet::new();
    let mut became_views = 0;
    for (id, Lead { raised_us, id: lead }) in decided {
        let (id, lead) = (id.to_string(), lead.to_string());
        let sql = "SELECT event, event_us FROM alert WHERE id = ?1";
        let Some(mut row) = session.rows(DOING, sql, &[(&*id).into()])?.pop() else { continue };
        // One that cannot be read is set anew.
        let event: Option<String> = row.take(0).unwrap_or_default();
        let event_us: Option<i64> = row.take(1).unwrap_or_default();
        let (event, event_us) = (event.unwrap_or_default(), event_us.unwrap_or_default());
        if (&event, event_us) == (&lead, *raised_us) {
            continue;
        }
        set_event(session, &id, &lead, *raised_us)?;
        became_views += u64::from(lead != id && event == id);
        changed.extend([event, lead, id]);
    }
    changed.remove(&fresh.to_string());
    for id in changed {
        number_change(session, &id)?;
    }
    Ok(became_views)
}

fn set_event(session: &mut dyn Session, id: &str, lead: &str, lead_us: i64) -> Result<(), StoreError> {
    let sql = "UPDATE alert SET event = ?2, event_us = ?3 WHERE id = ?1";
    session.execute(DOING, sql, &[id.into(), lead.into(), lead_us.into()])?;
    let sql = "UPDATE alert_group SET event = ?2, event_us = ?3 WHERE alert = ?1";
    session.execute(DOING, sql, &[id.into(), lead.into(), lead_us.into()])?;
    Ok(())
}

fn number_change(session: &mut dyn Session, id: &str) -> Result<(), StoreError> {
    let change = next_change(session)?;
    let sql = "UPDATE alert SET change = ?2 WHERE id = ?1";
    session.execute(DOING, sql, &[id.into(), change.into()])?;
    Ok(())
}
