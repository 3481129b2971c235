use vedette_access::{AuditEntry, AuditRow};
use vedette_core::Timestamp;

use crate::conditions::Conditions;
use crate::session::Row;
use crate::{AlertStore, StoreError};

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str =
    "number, at_us, who, role, peer, session, act, object, reason, outcome, detail, previous, hash";

/// The rows of the audit log to list. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Acts of exactly this one: an account, `token:NAME` or `local`.
    pub who: Option<String>,
    /// Acts that begin with this: `alert.` or `look.snapshot`.
    pub act: Option<String>,
    /// On exactly this object: `alert:ID`.
    pub object: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// At most this many; 0 means 100, and 1000 is the most.
    pub limit: u32,
    /// Continue after this row: the `next` of the previous page.
    pub before: Option<u64>,
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The rows, by descending number.
    pub rows: Vec<AuditRow>,
    /// Where the next page begins; none on the last one.
    pub next: Option<u64>,
}

impl AuditFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        for (term, text) in [("who = ?", &self.who), ("object = ?", &self.object)] {
            if let Some(text) = text {
                conditions.add(term, [text.clone().into()]);
            }
        }
        if let Some(act) = &self.act {
            // Acts are ASCII: those that begin with the text sort below it and DEL.
            conditions.add("act >= ? AND act < ?", [act.clone().into(), format!("{act}\u{7f}").into()]);
        }
        for (term, time) in [("at_us >= ?", self.from), ("at_us < ?", self.until)] {
            if let Some(time) = time {
                conditions.add(term, [time.as_micros().into()]);
            }
        }
        if let Some(before) = self.before {
            conditions.add("number < ?", [super::number(before).into()]);
        }
        conditions
    }
}

impl AlertStore {
    /// A page of the rows that pass `filter`, newest first. One that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, StoreError> {
        let size = if filter.limit == 0 { 100 } else { filter.limit.min(1000) } as usize;
        let (clause, mut values) = filter.conditions().clause();
        // One more than requested reveals whether there is a next page.
        values.push((size as i64 + 1).into());
        let sql = format!("SELECT {COLUMNS} FROM audit {clause} ORDER BY number DESC LIMIT ?{}", values.len());
        let mut rows = self.read(|session| session.rows("listing the audit log", &sql, &values))?;
        let more = rows.len() > size;
        rows.truncate(size);
        let mut next = None;
        let rows = rows.into_iter().filter_map(|row| self.readable(row, &mut next)).collect();
        Ok(AuditPage { rows, next: next.filter(|_| more) })
    }

    /// The rows from number `from` on, in their order, at most `limit`. One that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn audit_rows(&self, from: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        const DOING: &str = "reading the audit log";
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE number >= ?1 ORDER BY number LIMIT ?2");
        let (mut found, mut from) = (Vec::new(), from);
        // As many as are asked for, unless there are no more: what cannot be read must not end the export early.
        loop {
            let wanted = (limit as usize).saturating_sub(found.len());
            let values = [super::number(from).into(), i64::try_from(wanted).unwrap_or(i64::MAX).into()];
            let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
            let (is_last, mut last) = (rows.len() < wanted, None);
            found.extend(rows.into_iter().filter_map(|row| self.readable(row, &mut last)));
            match last {
                Some(last) if !is_last && found.len() < limit as usize => from = last + 1,
                _ => return Ok(found),
            }
        }
    }

    /// The row, if it can be read; `last` becomes its number, also when the rest cannot be read.
    fn readable(&self, mut row: Row, last: &mut Option<u64>) -> Option<AuditRow> {
        let mut id = "audit row".to_owned();
        let read = row.take(0).and_then(|number: u64| {
            *last = Some(number);
            id = format!("audit row {number}");
            read(row, number)
        });
        self.damage.readable(&id, read)
    }
}

/// Reads [`COLUMNS`] but for the number, which was read.
pub(super) fn read(mut row: Row, number: u64) -> Result<AuditRow, StoreError> {
    let doing = row.doing();
    let entry = AuditEntry {
        at: Timestamp::from_micros(row.take(1)?),
        who: row.take(2)?,
        role: row.take(3)?,
        peer: row.take(4)?,
        session: row.take(5)?,
        act: row.take(6)?,
        object: row.take(7)?,
        reason: row.take(8)?,
        outcome: row
            .take::<String>(9)?
            .parse()
            .map_err(|cause: &str| StoreError::Damaged { doing, cause: cause.into() })?,
        detail: row.take(10)?,
    };
    let (previous, hash) = (super::hash(doing, row.take(11)?)?, super::hash(doing, row.take(12)?)?);
    Ok(AuditRow { number, entry, previous, hash })
}
