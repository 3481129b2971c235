use vedette_access::{Broken, ChainCheck, ChainHead};

use super::rows::{COLUMNS, read};
use crate::{AlertStore, StoreError};

/// Rows that are in memory at once.
const BATCH: usize = 2_000;

impl AlertStore {
    /// Checks all rows of the audit log against each other, the store's own head and `known` heads from elsewhere: the head of the log, or
    /// the first thing that is wrong. `progress` gets the number of the last row that was checked, every 2,000 rows.
    ///
    /// Rows may be added meanwhile.
    ///
    /// # Errors
    /// When the rows or the store's own head cannot be read; nothing is verified then.
    pub fn verify_audit(
        &self,
        known: &[ChainHead],
        mut progress: impl FnMut(u64),
    ) -> Result<Result<ChainHead, Broken>, StoreError> {
        const DOING: &str = "verifying the audit log";
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2");
        let mut known = known.to_vec();
        known.push(self.audit_head()?);
        let (mut check, mut last) = (ChainCheck::new(known), 0_u64);
        loop {
            let values = [super::number(last).into(), (BATCH as i64).into()];
            let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
            let is_last = rows.len() < BATCH;
            for mut row in rows {
                let number: u64 = row.take(0)?;
                let checked = match read(row, number) {
                    Ok(row) => check.row(&row),
                    Err(_) if number > last + 1 => Err(Broken::Missing { from: last + 1, to: number - 1 }),
                    // Nothing that was written is unreadable.
                    Err(_) => Err(Broken::Altered(number)),
                };
                if let Err(broken) = checked {
                    return Ok(Err(broken));
                }
                last = number;
            }
            progress(last);
            if is_last {
                // Rows that were appended meanwhile have moved the head.
                let head = self.audit_head()?;
                return Ok(check.end().and_then(|end| match end.number > head.number {
                    true => Err(Broken::Added(head.number + 1)),
                    false => Ok(end),
                }));
            }
        }
    }
}
