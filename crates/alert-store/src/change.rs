use super::StoreError;
use super::session::Session;

/// Allocates a change number; numbers ascend over the whole store.
pub(super) fn next_change(session: &mut dyn Session) -> Result<i64, StoreError> {
    let sql = "UPDATE counter SET value = value + 1 WHERE name = 'change' RETURNING value";
    session.row("numbering a change", sql)?.take(0)
}
