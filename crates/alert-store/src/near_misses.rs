//! Near-misses, as they are read from their topic: each once, bounded by age and by number. The store says itself how far it has got
//! on the topic, so that one that was lost or emptied fills up again.

mod histogram;
mod list;

use std::collections::BTreeMap;

use vedette_alerts::{NearMissId, near_miss_id};
use vedette_core::{CameraId, CameraNearMiss, Timestamp};

use super::position::number;
use super::session::{FromCell, Session, Value};
use super::{AlertStore, StoreError};
use crate::metrics;
pub use histogram::{HistogramFilter, Tally, ThresholdCount, ValueBin, ValueHistogram};
pub use list::{NearMissFilter, NearMissPage, StoredNearMiss};

const DOING: &str = "writing near-misses";
/// Name of the counter with the number of near-misses in the store.
const IN_ALL: &str = "near_misses";
/// Values are stored in millionths, up to this many.
const MOST_MILLIONTHS: f64 = 1e15;

/// How many near-misses are kept; the oldest make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearMissLimits {
    /// Of one camera.
    pub per_camera: u32,
    /// Of all cameras.
    pub in_all: u32,
}

/// The effect of storing near-misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NearMissesStored {
    /// New ones.
    pub inserted: u64,
    /// Those that were there already.
    pub repeated: u64,
    /// Those that were past their retention.
    pub expired: u64,
    /// Older ones that made room, because of the limit of their camera and of that of all cameras.
    pub displaced: [u64; 2],
}

/// A near-miss with what is stored of it.
struct Prepared<'a> {
    id: NearMissId,
    of: &'a CameraNearMiss,
    payload: String,
}

impl AlertStore {
    /// Stores near-misses, any number of times, in one transaction with how far the store has then got: `next` is by partition the
    /// offset after the last record that needs no more work. Those that ended before `expired` are not stored.
    ///
    /// # Errors
    /// When one cannot be written; the store is then unchanged.
    pub fn add_near_misses(
        &self,
        near_misses: &[CameraNearMiss],
        next: &BTreeMap<u32, u64>,
        limits: NearMissLimits,
        expired: Timestamp,
    ) -> Result<NearMissesStored, StoreError> {
        let kept = near_misses.iter().filter(|it| it.miss.ended >= expired);
        let prepared = kept.map(prepared).collect::<Result<Vec<_>, _>>()?;
        let stored = self.write(DOING, |session| {
            let mut stored = NearMissesStored::default();
            let mut added: BTreeMap<&CameraId, u64> = BTreeMap::new();
            for one in &prepared {
                let inserted = insert(session, one)?;
                stored.inserted += inserted;
                *added.entry(&one.of.camera).or_default() += inserted;
            }
            added.retain(|_, inserted| *inserted > 0);
            for (camera, inserted) in added {
                stored.displaced[0] += make_room_of(session, camera, inserted, limits.per_camera)?;
            }
            let more = number(stored.inserted) - number(stored.displaced[0]);
            stored.displaced[1] = make_room_of_all(session, more, limits.in_all)?;
            write_positions(session, next)?;
            Ok(stored)
        })?;
        let (expired, repeated) = (near_misses.len() - prepared.len(), prepared.len() as u64 - stored.inserted);
        let stored = NearMissesStored { repeated, expired: expired as u64, ..stored };
        for (outcome, count) in
            [("inserted", stored.inserted), ("repeated", stored.repeated), ("expired", stored.expired)]
        {
            metrics::NEAR_MISSES_STORED.with([outcome]).increment(count);
        }
        for (limit, count) in [("camera", stored.displaced[0]), ("all", stored.displaced[1])] {
            metrics::NEAR_MISSES_DISPLACED.with([limit]).increment(count);
        }
        Ok(stored)
    }

    /// How far the store has got on the topic of near-misses: by partition the offset of the first record that it has not read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn near_miss_positions(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        let sql = "SELECT partition, next FROM near_miss_progress";
        let rows = self.read(|session| session.rows("reading the positions of near-misses", sql, &[]))?;
        rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
    }

    /// Deletes near-misses that ended before `moment`; returns their number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn delete_near_misses_before(&self, moment: Timestamp) -> Result<u64, StoreError> {
        const DOING: &str = "deleting near-misses whose retention is over";
        let deleted = self.write(DOING, |session| {
            let sql = "DELETE FROM near_miss WHERE at_us < ?1";
            let deleted = session.execute(DOING, sql, &[moment.as_micros().into()])?;
            if deleted > 0 {
                count_again(session, DOING)?;
            }
            Ok(deleted)
        })?;
        if deleted > 0 {
            self.reclaim(DOING)?;
        }
        metrics::NEAR_MISSES_DELETED.get().increment(deleted);
        Ok(deleted)
    }
}

/// With its payload as JSON, checked by reading it back: JSON cannot represent a number that is not finite.
fn prepared(of: &CameraNearMiss) -> Result<Prepared<'_>, StoreError> {
    let unstorable = |cause| StoreError::UnstorableNearMiss { camera: of.camera.clone(), cause };
    let payload = serde_json::to_string(of).map_err(unstorable)?;
    serde_json::from_str::<CameraNearMiss>(&payload).map_err(unstorable)?;
    Ok(Prepared { id: near_miss_id(of), of, payload })
}

/// A number of a rule, in millionths.
fn millionths(value: f64) -> i64 {
    (value * 1e6).round().clamp(-MOST_MILLIONTHS, MOST_MILLIONTHS) as i64
}

/// Whether it was new: 1 or 0.
fn insert(session: &mut dyn Session, Prepared { id, of, payload }: &Prepared<'_>) -> Result<u64, StoreError> {
    let sql = "INSERT INTO near_miss (id, camera, rule, kind, term, at_us, value_e6, threshold_e6, payload)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
    let miss = &of.miss;
    let values = [
        id.to_string().into(),
        of.camera.as_str().into(),
        miss.rule.as_str().into(),
        miss.kind.as_str().into(),
        miss.term.as_str().into(),
        miss.ended.as_micros().into(),
        millionths(miss.value).into(),
        millionths(miss.threshold).into(),
        payload.as_str().into(),
    ];
    session.execute(DOING, sql, &values)
}

/// The camera has `inserted` more; returns how many of its oldest made room.
fn make_room_of(session: &mut dyn Session, camera: &CameraId, inserted: u64, most: u32) -> Result<u64, StoreError> {
    let sql = "INSERT INTO near_miss_count (camera, held) VALUES (?1, ?2)
               ON CONFLICT (camera) DO UPDATE SET held = near_miss_count.held + excluded.held RETURNING held";
    let held: i64 = one(session, sql, &[camera.as_str().into(), number(inserted).into()])?;
    let over = held - i64::from(most);
    if over <= 0 {
        return Ok(0);
    }
    let sql = "DELETE FROM near_miss WHERE id IN
               (SELECT id FROM near_miss WHERE camera = ?1 ORDER BY at_us, id LIMIT ?2)";
    let deleted = session.execute(DOING, sql, &[camera.as_str().into(), over.into()])?;
    fewer_of(session, camera.as_str(), number(deleted))?;
    Ok(deleted)
}

/// The store has `more` in all; returns how many of the oldest made room.
fn make_room_of_all(session: &mut dyn Session, more: i64, most: u32) -> Result<u64, StoreError> {
    if more == 0 {
        return Ok(0);
    }
    let sql = "UPDATE counter SET value = value + ?2 WHERE name = ?1 RETURNING value";
    let held: i64 = one(session, sql, &[IN_ALL.into(), more.into()])?;
    let over = held - i64::from(most);
    if over <= 0 {
        return Ok(0);
    }
    let sql = "SELECT camera, count(*) FROM (SELECT camera FROM near_miss ORDER BY at_us, id LIMIT ?1) AS oldest
               GROUP BY camera";
    for mut row in session.rows(DOING, sql, &[over.into()])? {
        let (camera, count): (String, i64) = (row.take(0)?, row.take(1)?);
        fewer_of(session, &camera, count)?;
    }
    let sql = "DELETE FROM near_miss WHERE id IN (SELECT id FROM near_miss ORDER BY at_us, id LIMIT ?1)";
    let deleted = session.execute(DOING, sql, &[over.into()])?;
    one::<i64>(
        session,
        "UPDATE counter SET value = value - ?2 WHERE name = ?1 RETURNING value",
        &[IN_ALL.into(), number(deleted).into()],
    )?;
    Ok(deleted)
}

fn fewer_of(session: &mut dyn Session, camera: &str, fewer: i64) -> Result<(), StoreError> {
    let sql = "UPDATE near_miss_count SET held = held - ?2 WHERE camera = ?1";
    session.execute(DOING, sql, &[camera.into(), fewer.into()]).map(drop)
}

fn count_again(session: &mut dyn Session, doing: &'static str) -> Result<(), StoreError> {
    session.execute(doing, "DELETE FROM near_miss_count", &[])?;
    let sql = "INSERT INTO near_miss_count (camera, held) SELECT camera, count(*) FROM near_miss GROUP BY camera";
    session.execute(doing, sql, &[])?;
    let sql = "UPDATE counter SET value = (SELECT count(*) FROM near_miss) WHERE name = ?1";
    session.execute(doing, sql, &[IN_ALL.into()]).map(drop)
}

fn write_positions(session: &mut dyn Session, next: &BTreeMap<u32, u64>) -> Result<(), StoreError> {
    let sql = "INSERT INTO near_miss_progress (partition, next) VALUES (?1, ?2)
               ON CONFLICT (partition) DO UPDATE SET next = excluded.next";
    for (partition, next) in next {
        session.execute(DOING, sql, &[(*partition).into(), number(*next).into()])?;
    }
    Ok(())
}

/// The only value of a statement that always returns one.
fn one<T: FromCell>(session: &mut dyn Session, sql: &str, values: &[Value<'_>]) -> Result<T, StoreError> {
    let missing = || StoreError::Damaged { doing: DOING, cause: "a row that is always there is missing".into() };
    session.rows(DOING, sql, values)?.pop().ok_or_else(missing)?.take(0)
}
