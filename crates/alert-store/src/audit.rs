//! The audit log: rows that are only ever added, each linked to the one before by its hash.

mod looks;
mod rows;
mod verify;

use vedette_access::{AuditEntry, AuditRow, ChainHash, ChainHead};

use super::session::{Session, Value};
use super::{AlertStore, StoreError};
pub use looks::LookPage;
pub(super) use looks::move_looks;
pub use rows::{AuditFilter, AuditPage};

/// Longest text of a row, and longest one with an index, in bytes; the rest is cut off.
const LONGEST: usize = 16 * 1024;
const LONGEST_INDEXED: usize = 1024;

impl AlertStore {
    /// Appends entries to the audit log, all of them or none; returns its head then.
    ///
    /// # Errors
    /// When they cannot be written; what they record must then not be done.
    pub fn append_audit(&self, entries: &[AuditEntry]) -> Result<ChainHead, StoreError> {
        self.write("writing the audit log", |session| append(session, entries))
    }

    /// The last row of the audit log: what the next one is linked to.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn audit_head(&self) -> Result<ChainHead, StoreError> {
        self.read(head)
    }
}

/// Appends entries in the transaction of an act. Writers are serialised, so no other one continues the same head.
pub(super) fn append<'a>(
    session: &mut dyn Session,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<ChainHead, StoreError> {
    const DOING: &str = "writing the audit log";
    let before = head(session)?;
    let mut head = before;
    for entry in entries {
        let row = AuditRow::after(head.number + 1, head.hash, storable(entry));
        insert(session, DOING, &row)?;
        head = ChainHead::of(&row);
    }
    if head != before {
        let values = [number(head.number).into(), head.hash.to_string().into()];
        session.execute(DOING, "UPDATE audit_head SET number = ?1, hash = ?2", &values)?;
    }
    Ok(head)
}

fn head(session: &mut dyn Session) -> Result<ChainHead, StoreError> {
    const DOING: &str = "reading the head of the audit log";
    let mut row = session.row(DOING, "SELECT number, hash FROM audit_head")?;
    Ok(ChainHead { number: row.take(0)?, hash: hash(DOING, row.take(1)?)? })
}

fn insert(session: &mut dyn Session, doing: &'static str, row: &AuditRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (number, at_us, who, role, peer, session, act, object, reason, outcome, detail, previous, hash)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let entry = &row.entry;
    let values: [Value<'_>; 13] = [
        number(row.number).into(),
        entry.at.as_micros().into(),
        (&*entry.who).into(),
        (&*entry.role).into(),
        (&*entry.peer).into(),
        (&*entry.session).into(),
        (&*entry.act).into(),
        (&*entry.object).into(),
        (&*entry.reason).into(),
        entry.outcome.to_string().into(),
        (&*entry.detail).into(),
        row.previous.to_string().into(),
        row.hash.to_string().into(),
    ];
    session.execute(doing, sql, &values).map(drop)
}

/// The entry as both databases hold it, before it is hashed: `PostgreSQL` has no NUL in texts.
fn storable(entry: &AuditEntry) -> AuditEntry {
    let mut entry = entry.clone();
    for (text, longest) in [
        (&mut entry.who, LONGEST_INDEXED),
        (&mut entry.role, LONGEST),
        (&mut entry.peer, LONGEST),
        (&mut entry.session, LONGEST),
        (&mut entry.act, LONGEST_INDEXED),
        (&mut entry.object, LONGEST_INDEXED),
        (&mut entry.reason, LONGEST),
        (&mut entry.detail, LONGEST),
    ] {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
        text.truncate(text.floor_char_boundary(longest));
    }
    entry
}

/// The number of a row as the databases hold it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hash(doing: &'static str, text: String) -> Result<ChainHash, StoreError> {
    text.parse().map_err(|cause: &str| StoreError::Damaged { doing, cause: cause.into() })
}
