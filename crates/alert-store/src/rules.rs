//! The rule of an alert as a column of its own.

use serde::Deserialize;

use super::StoreError;
use super::session::Session;

const DOING: &str = "filling in the rules of alerts";
/// Alerts that are read at once.
const BATCH: i64 = 1000;

/// What is read of an alert.
#[derive(Deserialize)]
struct OfRule {
    rule: String,
}

/// Fills in the column for alerts that were stored without it. That of one whose payload cannot be read stays empty.
pub(super) fn fill_in(session: &mut dyn Session) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let sql = "SELECT id, payload FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2";
        let rows = session.rows(DOING, sql, &[after.as_str().into(), BATCH.into()])?;
        if rows.is_empty() {
            return Ok(());
        }
        for mut row in rows {
            after = row.take(0)?;
            let payload: Option<String> = row.take(1).ok();
            let read = payload.and_then(|payload| serde_json::from_str::<OfRule>(&payload).ok());
            if let Some(OfRule { rule }) = read {
                let sql = "UPDATE alert SET rule = ?2 WHERE id = ?1";
                session.execute(DOING, sql, &[after.as_str().into(), rule.into()])?;
            }
        }
    }
}
