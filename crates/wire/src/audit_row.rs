use bytes::Bytes;
use prost::Message;
use vedette_access::{AuditEntry, AuditRow, ChainHash};
use vedette_core::Timestamp;

use crate::error::parse;
use crate::{WireError, pb};

/// The value of a record on `audit`.
#[must_use]
pub fn encode_audit_row(row: &AuditRow) -> Bytes {
    let AuditEntry { at, who, role, peer, session, act, object, reason, outcome, detail } = row.entry.clone();
    pb::AuditRow {
        number: row.number,
        at_us: at.as_micros(),
        who,
        role,
        peer,
        session,
        act,
        object,
        reason,
        outcome: outcome.to_string(),
        detail,
        previous: row.previous.bytes().to_vec().into(),
        hash: row.hash.bytes().to_vec().into(),
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `audit`. Whether the row has its hash is for `vedette_access::ChainCheck` to say.
///
/// # Errors
/// When the bytes are not such a message, or number, outcome or a hash is none.
pub fn decode_audit_row(bytes: Bytes) -> Result<AuditRow, WireError> {
    let row: pb::AuditRow = parse("AuditRow", bytes)?;
    if row.number == 0 {
        return Err(WireError::invalid("number", "give a number from 1 on"));
    }
    let outcome = row.outcome.parse();
    Ok(AuditRow {
        number: row.number,
        entry: AuditEntry {
            at: Timestamp::from_micros(row.at_us),
            who: row.who,
            role: row.role,
            peer: row.peer,
            session: row.session,
            act: row.act,
            object: row.object,
            reason: row.reason,
            outcome: outcome
                .map_err(|_: &str| WireError::invalid("outcome", "give `done`, `refused: CODE` or `failed`"))?,
            detail: row.detail,
        },
        previous: hash("previous", &row.previous)?,
        hash: hash("hash", &row.hash)?,
    })
}

fn hash(field: &'static str, bytes: &[u8]) -> Result<ChainHash, WireError> {
    let bytes = bytes.try_into().map_err(|_| WireError::invalid(field, "give 32 bytes"))?;
    Ok(ChainHash::new(bytes))
}

#[cfg(test)]
mod tests {
    use vedette_access::{ChainCheck, Outcome};

    use super::*;

    #[test]
    fn rows_read_back_as_a_chain_and_what_is_none_is_refused() {
        let (mut previous, mut check) = (ChainHash::START, ChainCheck::new(Vec::new()));
        for (number, outcome) in [(1, Outcome::Done), (2, Outcome::Refused("login.wrong".into())), (3, Outcome::Failed)]
        {
            let at = Timestamp::from_micros(number as i64);
            let entry = AuditEntry::done(at, "look.clip", "alert:7".into(), "anna".into(), "192.0.2.1".into());
            let row = AuditRow::after(number, previous, AuditEntry { outcome, reason: "case 12".into(), ..entry });
            previous = row.hash;
            let read = decode_audit_row(encode_audit_row(&row)).unwrap();
            assert_eq!(read, row);
            check.row(&read).unwrap();
        }
        let good = pb::AuditRow {
            number: 1,
            outcome: "done".into(),
            previous: vec![0; 32].into(),
            hash: vec![1; 32].into(),
            ..pb::AuditRow::default()
        };
        let read = |row: pb::AuditRow| decode_audit_row(row.encode_to_vec().into());
        assert!(read(good.clone()).is_ok());
        for bad in [
            pb::AuditRow { number: 0, ..good.clone() },
            pb::AuditRow { outcome: "maybe".into(), ..good.clone() },
            pb::AuditRow { previous: vec![0; 31].into(), ..good.clone() },
            pb::AuditRow { hash: Bytes::new(), ..good },
        ] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
        assert!(decode_audit_row(Bytes::from_static(b"\xff")).is_err());
    }
}
