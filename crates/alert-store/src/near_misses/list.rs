use vedette_access::Areas;
use vedette_alerts::NearMissId;
use vedette_core::{CameraId, CameraNearMiss, RuleId, RuleKind, Term, Timestamp};

use crate::areas::Inside;
use crate::conditions::Conditions;
use crate::cursor::Cursor;
use crate::session::Row;
use crate::{AlertStore, StoreError};

const DOING: &str = "listing near-misses";

/// The near-misses to list. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NearMissFilter {
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// Of this rule.
    pub rule: Option<RuleId>,
    /// Of this kind of rule.
    pub kind: Option<RuleKind>,
    /// That missed this requirement.
    pub term: Option<Term>,
    /// Ended at or after.
    pub from: Option<Timestamp>,
    /// Ended before.
    pub until: Option<Timestamp>,
    /// At most this many; 0 means 100, and 1000 is the most.
    pub limit: u32,
    /// Continue after this one: the `next` of the previous page.
    pub before: Option<Cursor<NearMissId>>,
}

/// A near-miss in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNearMiss {
    /// Its identity.
    pub id: NearMissId,
    /// The near-miss.
    pub of: CameraNearMiss,
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMissPage {
    /// The near-misses, by descending time of their end, then by descending id.
    pub near_misses: Vec<StoredNearMiss>,
    /// Where the next page starts; none when this is the last.
    pub next: Option<Cursor<NearMissId>>,
}

impl NearMissFilter {
    pub(super) fn conditions(&self, areas: &Areas) -> Conditions {
        let mut of_areas = Vec::new();
        let inside = Inside::new(areas, &mut of_areas);
        let mut conditions = Conditions::with(of_areas);
        if let Some(inside) = inside {
            conditions.add_numbered(inside.camera("near_miss"));
        }
        let texts = [
            ("camera = ?", self.camera.as_ref().map(CameraId::as_str)),
            ("rule = ?", self.rule.as_ref().map(RuleId::as_str)),
            ("kind = ?", self.kind.as_ref().map(RuleKind::as_str)),
            ("term = ?", self.term.as_ref().map(Term::as_str)),
        ];
        for (term, text) in texts {
            if let Some(text) = text {
                conditions.add(term, [text.to_owned().into()]);
            }
        }
        for (term, time) in [("at_us >= ?", self.from), ("at_us < ?", self.until)] {
            if let Some(time) = time {
                conditions.add(term, [time.as_micros().into()]);
            }
        }
        if let Some(before) = self.before {
            conditions.add("(at_us, id) < (?, ?)", [before.at.as_micros().into(), before.id.to_string().into()]);
        }
        conditions
    }
}

impl AlertStore {
    /// A page of the near-misses of cameras inside of `areas` that pass `filter`, newest first. One that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list_near_misses(&self, filter: &NearMissFilter, areas: &Areas) -> Result<NearMissPage, StoreError> {
        let size = if filter.limit == 0 { 100 } else { filter.limit.min(1000) } as usize;
        let (clause, mut values) = filter.conditions(areas).clause();
        // One more than requested reveals whether there is a next page.
        values.push((size as i64 + 1).into());
        let sql = format!(
            "SELECT at_us, id, payload FROM near_miss {clause} ORDER BY at_us DESC, id DESC LIMIT ?{}",
            values.len()
        );
        let mut rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let more = rows.len() > size;
        rows.truncate(size);
        let mut next = None;
        let mut near_misses = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.text(1);
            match near_miss(row, &mut next) {
                Ok(found) => near_misses.push(found),
                Err(error) => self.damage.leave_out(&format!("near-miss {id}"), &error),
            }
        }
        Ok(NearMissPage { near_misses, next: next.filter(|_| more) })
    }
}

/// The near-miss of a row; `place` becomes its place in the list, also when the rest cannot be read.
fn near_miss(mut row: Row, place: &mut Option<Cursor<NearMissId>>) -> Result<StoredNearMiss, StoreError> {
    let damaged = |cause: String| StoreError::Damaged { doing: DOING, cause };
    let at = Timestamp::from_micros(row.take(0)?);
    let id: NearMissId = row.take::<String>(1)?.parse().map_err(|_| damaged("its id is none".into()))?;
    *place = Some(Cursor { at, id });
    let of = serde_json::from_str(&row.take::<String>(2)?).map_err(|cause| damaged(cause.to_string()))?;
    Ok(StoredNearMiss { id, of })
}
