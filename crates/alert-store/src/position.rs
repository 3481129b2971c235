//! The positions of the store on the bus, as its sessions write them.

use super::session::Session;
use super::{RecordPosition, StoreError};

/// The store has everything up to the record at `position`; a record that is read again changes nothing.
pub(super) fn pass(session: &mut dyn Session, position: RecordPosition) -> Result<(), StoreError> {
    let sql = "INSERT INTO progress (partition, next) VALUES (?1, ?2)
               ON CONFLICT (partition) DO UPDATE SET
                  next = CASE WHEN progress.next < excluded.next THEN excluded.next ELSE progress.next END";
    let next = number(position.offset.saturating_add(1));
    session.execute("writing the position of the store", sql, &[position.partition.into(), next.into()])?;
    Ok(())
}

/// An offset as the databases hold it.
pub(super) fn number(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
