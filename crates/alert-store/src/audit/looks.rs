//! Looks at evidence: rows of the audit log with acts from `look.` on.

use vedette_access::AuditEntry;
use vedette_core::{AlertId, Timestamp};

use crate::metrics;
use crate::session::{Row, Session};
use crate::{AlertStore, EvidenceLook, Looked, StoreError};

/// The acts of looks, and the first text after them.
const ACTS: [&str; 2] = ["look.", "look/"];
/// Looks that are moved at once.
const BATCH: usize = 1_000;

/// A page of evidence views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookPage {
    /// The views, newest first.
    pub looks: Vec<EvidenceLook>,
    /// Where the next page begins; none on the last one.
    pub next: Option<u64>,
}

impl AlertStore {
    /// Records an evidence view as a row of the audit log. Write it before the evidence is disclosed.
    ///
    /// # Errors
    /// When it cannot be written; the evidence must then not be disclosed.
    pub fn record_look(&self, look: &EvidenceLook) -> Result<(), StoreError> {
        self.append_audit(&[entry(look)])?;
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
        let object = object(of);
        let sql = "SELECT number, at_us, who, role, session, peer, reason, detail FROM audit
                   WHERE object = ?1 AND number < ?2 AND act >= ?3 AND act < ?4 ORDER BY number DESC LIMIT ?5";
        let before = before.map_or(i64::MAX, super::number);
        // One more tells whether there is another page.
        let values = [(&*object).into(), before.into(), ACTS[0].into(), ACTS[1].into(), (i64::from(limit) + 1).into()];
        let mut rows = self.read(|session| session.rows(DOING, sql, &values))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let mut next = None;
        let mut look = |mut row: Row| -> Result<EvidenceLook, StoreError> {
            next = u64::try_from(row.take::<i64>(0)?).ok();
            Ok(EvidenceLook {
                of: of.clone(),
                at: Timestamp::from_micros(row.take(1)?),
                who: row.take(2)?,
                role: row.take(3)?,
                session: row.take(4)?,
                peer: row.take(5)?,
                reason: row.take(6)?,
                what: row.take(7)?,
            })
        };
        let readable = |row| self.damage.readable(&object, look(row));
        let looks = rows.into_iter().filter_map(readable).collect();
        Ok(LookPage { looks, next: next.filter(|_| more) })
    }
}

fn object(of: &Looked) -> String {
    match of {
        Looked::Alert(id) => format!("alert:{id}"),
        Looked::Camera(id) => format!("camera:{id}"),
    }
}

fn entry(look: &EvidenceLook) -> AuditEntry {
    let EvidenceLook { of, at, who, role, session, peer, reason, what } = look.clone();
    AuditEntry { role, session, ..of_parts(object(&of), at, [who, peer, reason, what]) }
}

fn of_parts(object: String, at: Timestamp, [who, peer, reason, what]: [String; 4]) -> AuditEntry {
    // `snapshot, people pixelated` is a look at a snapshot.
    let word: String = what.chars().take_while(char::is_ascii_lowercase).collect();
    let act = format!("{}{}", ACTS[0], if word.is_empty() { "other" } else { &word });
    AuditEntry { reason, detail: what, ..AuditEntry::done(at, &act, object, who, peer) }
}

/// A look of a table of before there was the audit log.
struct OldLook {
    number: i64,
    entry: AuditEntry,
}

/// Looks of one table in the order of time, batch by batch.
struct OldLooks {
    table: &'static str,
    column: &'static str,
    object: &'static str,
    after: Option<(i64, i64)>,
    read: std::vec::IntoIter<OldLook>,
}

impl OldLooks {
    fn of(table: &'static str, column: &'static str, object: &'static str) -> Self {
        Self { table, column, object, after: Some((i64::MIN, i64::MIN)), read: Vec::new().into_iter() }
    }

    /// The next look stays until it is taken.
    fn peek(&mut self, session: &mut dyn Session) -> Result<Option<Timestamp>, StoreError> {
        if self.read.as_slice().is_empty()
            && let Some(after) = self.after
        {
            self.read = self.batch(session, after)?.into_iter();
            let last = self.read.as_slice().last().filter(|_| self.read.len() == BATCH);
            self.after = last.map(|look| (look.entry.at.as_micros(), look.number));
        }
        Ok(self.read.as_slice().first().map(|look| look.entry.at))
    }

    fn batch(&self, session: &mut dyn Session, (at, number): (i64, i64)) -> Result<Vec<OldLook>, StoreError> {
        const DOING: &str = "moving looks into the audit log";
        let Self { table, column, object, .. } = self;
        let sql = format!(
            "SELECT number, at_us, {column}, who, peer, reason, what FROM {table}
             WHERE (at_us, number) > (?1, ?2) ORDER BY at_us, number LIMIT ?3"
        );
        let rows = session.rows(DOING, &sql, &[at.into(), number.into(), (BATCH as i64).into()])?;
        let look = |mut row: Row| -> Result<OldLook, StoreError> {
            let (number, at) = (row.take(0)?, Timestamp::from_micros(row.take(1)?));
            let of = format!("{object}:{}", row.take::<String>(2)?);
            let texts = [row.take(3)?, row.take(4)?, row.take(5)?, row.take(6)?];
            Ok(OldLook { number, entry: of_parts(of, at, texts) })
        };
        rows.into_iter().map(look).collect()
    }
}

/// Moves the looks of the tables `look` and `camera_look` into the audit log, in the order of time.
pub(crate) fn move_looks(session: &mut dyn Session) -> Result<(), StoreError> {
    let [mut alerts, mut cameras] =
        [OldLooks::of("look", "alert", "alert"), OldLooks::of("camera_look", "camera", "camera")];
    let mut entries = Vec::with_capacity(BATCH);
    loop {
        let of_alert = match (alerts.peek(session)?, cameras.peek(session)?) {
            (None, None) => break,
            (Some(alert), Some(camera)) => alert <= camera,
            (alert, _) => alert.is_some(),
        };
        entries.extend(if of_alert { alerts.read.next() } else { cameras.read.next() }.map(|look| look.entry));
        if entries.len() == BATCH {
            super::append(session, &entries)?;
            entries.clear();
        }
    }
    super::append(session, &entries).map(drop)
}
