//! Whatever is done to a log of audit rows, the first damage is named.

use proptest::prelude::*;
use vedette_access::{AuditEntry, AuditRow, Broken, ChainCheck, ChainHash, ChainHead, Outcome};
use vedette_core::Timestamp;

fn entry(number: u64, object: &str) -> AuditEntry {
    AuditEntry {
        at: Timestamp::from_micros(1_700_000_000_000_000 + number as i64),
        who: "anna".into(),
        role: "operator".into(),
        peer: "192.0.2.7".into(),
        session: "0011223344556677".into(),
        act: "alert.verdict".into(),
        object: object.into(),
        reason: String::new(),
        outcome: if number.is_multiple_of(3) { Outcome::Refused("api.no-area".into()) } else { Outcome::Done },
        detail: "confirmed".into(),
    }
}

fn log(rows: u64) -> Vec<AuditRow> {
    let (mut previous, mut log) = (ChainHash::START, Vec::new());
    for number in 1..=rows {
        let row = AuditRow::after(number, previous, entry(number, &format!("alert:{number}")));
        previous = row.hash;
        log.push(row);
    }
    log
}

fn check(log: &[AuditRow], known: &[ChainHead]) -> Result<ChainHead, Broken> {
    let mut check = ChainCheck::new(known.to_vec());
    log.iter().try_for_each(|row| check.row(row))?;
    check.end()
}

fn heads(log: &[AuditRow]) -> Vec<ChainHead> {
    log.iter().map(ChainHead::of).collect()
}

#[test]
fn an_untouched_log_verifies_and_its_head_reads_back() {
    let log = log(20);
    let head = check(&log, &heads(&log)).unwrap();
    assert_eq!(head.number, 20);
    assert_eq!(head.to_string().parse(), Ok(head));
    assert_eq!(check(&[], &[]), Ok(ChainHead::START));
    for bad in ["", "7", "7:", ":aa", "x:00", &format!("7:{}", "g".repeat(64)), &format!("7:{}", "é".repeat(32))] {
        assert!(bad.parse::<ChainHead>().is_err(), "{bad}");
    }
}

#[test]
fn every_field_is_in_the_hash() {
    type Change = fn(&mut AuditEntry);
    let changes: [Change; 10] = [
        |entry| entry.at = Timestamp::from_micros(1),
        |entry| entry.who = "berta".into(),
        |entry| entry.role = "viewer".into(),
        |entry| entry.peer = "192.0.2.8".into(),
        |entry| entry.session = String::new(),
        |entry| entry.act = "alert.look".into(),
        |entry| entry.object = "alert:8".into(),
        |entry| entry.reason = "why".into(),
        |entry| entry.outcome = Outcome::Failed,
        // The border between two texts moves.
        |entry| (entry.reason, entry.detail) = ("confir".into(), "med".into()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut log = log(9);
        change(&mut log[6].entry);
        assert_eq!(check(&log, &[]), Err(Broken::Altered(7)), "change {index}");
    }
}

#[test]
fn a_log_that_was_written_anew_is_told_from_a_head_known_from_elsewhere() {
    let log_of_old = log(9);
    let mut anew: Vec<AuditRow> = Vec::new();
    for row in &log_of_old {
        let object = if row.number == 4 { "alert:none" } else { &row.entry.object };
        let previous = anew.last().map_or(ChainHash::START, |row| row.hash);
        anew.push(AuditRow::after(row.number, previous, entry(row.number, object)));
    }
    assert!(check(&anew, &[]).is_ok(), "its own hashes are right");
    assert_eq!(check(&anew, &[ChainHead::of(&log_of_old[6])]), Err(Broken::Rewritten(7)));
    // Only the beginning is written anew: the row after it does not follow.
    anew.splice(5.., log_of_old[5..].iter().cloned());
    assert_eq!(check(&anew, &[]), Err(Broken::Unlinked(6)));
}

proptest! {
    #[test]
    fn the_first_damage_is_named(rows in 2_u64..30, at in 0_usize..30, with in 0_usize..30, known in 0_usize..30) {
        let log = log(rows);
        let (at, with, known) = (at % log.len(), with % log.len(), known % log.len());
        let heads = [ChainHead::of(&log[known])];
        let number = |index: usize| index as u64 + 1;

        let mut missing = log.clone();
        missing.remove(at);
        let expected = if at + 1 < log.len() {
            Err(Broken::Missing { from: number(at), to: number(at) })
        } else if known == at {
            Err(Broken::Cut { last: number(at) - 1, known: number(known) })
        } else {
            Ok(ChainHead::of(&log[at - 1]))
        };
        prop_assert_eq!(check(&missing, &heads), expected);

        let mut altered = log.clone();
        altered[at].entry.object.push('0');
        prop_assert_eq!(check(&altered, &heads), Err(Broken::Altered(number(at))));

        let mut moved = log.clone();
        moved.swap(at, with);
        moved[at].number = number(at);
        moved[with].number = number(with);
        let (first, last) = (at.min(with), at.max(with));
        let expected = if at == with {
            check(&log, &heads)
        } else {
            Err(Broken::Moved { number: number(first), written_as: number(last) })
        };
        prop_assert_eq!(check(&moved, &heads), expected);
    }
}
