//! The audit log, on a real file and on a real server.

use std::ops::Range;
use std::thread;

use crate::support::{Home, alert, at, verdict};
use vedette_access::{Areas, AuditEntry, AuditRow, Broken, ChainHash, ChainHead, Outcome};
use vedette_alert_store::{AlertStore, AuditFilter, EvidenceLook, Looked, StoreError};
use vedette_alerts::Decision;
use vedette_core::{AlertId, EpisodePhase, Timestamp};

pub(crate) fn entry(act: &str) -> AuditEntry {
    AuditEntry {
        at: at(1),
        who: "anna".into(),
        role: "operator".into(),
        peer: "192.0.2.7".into(),
        session: "0011223344556677".into(),
        act: act.into(),
        object: "alert:7".into(),
        reason: String::new(),
        outcome: Outcome::Done,
        detail: String::new(),
    }
}

fn append(store: &AlertStore, number: i64) -> ChainHead {
    let object = format!("alert:{number}");
    store.append_audit(&[AuditEntry { at: at(number), object, ..entry("alert.verdict") }]).unwrap()
}

fn append_all(store: &AlertStore, numbers: Range<i64>) {
    for number in numbers {
        append(store, number);
    }
}

/// What an intruder does who can write the database.
fn without_triggers(home: &Home) {
    home.sql(match home {
        Home::File(_) => {
            "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_no_replace;
             DROP TRIGGER audit_head_forward; DROP TRIGGER audit_head_no_delete;"
        }
        Home::Server(_) => {
            "DROP TRIGGER audit_append_only ON audit; DROP TRIGGER audit_head_stays ON audit_head;
             DROP TRIGGER audit_head_forward ON audit_head;"
        }
    });
}

fn verified(store: &AlertStore, known: &[ChainHead]) -> Result<ChainHead, Broken> {
    store.verify_audit(known, |_| {}).unwrap()
}

fn rows_read_back_in_order_and_verify(home: &Home) {
    let store = home.open();
    assert_eq!(store.audit_head().unwrap(), ChainHead::START);
    assert_eq!(store.append_audit(&[]).unwrap(), ChainHead::START);
    assert_eq!(verified(&store, &[]), Ok(ChainHead::START));
    let odd = AuditEntry {
        object: "a\0b".repeat(1_000),
        reason: "字".repeat(9_000),
        outcome: Outcome::Refused("api.no-area".into()),
        ..entry("policy.change")
    };
    let head = store.append_audit(&[entry("alert.verdict"), odd, entry("look.clip")]).unwrap();
    assert_eq!((head, head.number), (store.audit_head().unwrap(), 3));
    drop(store);
    let store = home.open();
    let rows = store.audit_rows(1, 100).unwrap();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&rows[0].entry, &rows[0].previous), (&entry("alert.verdict"), &ChainHash::START));
    assert_eq!((rows[1].previous, ChainHead::of(&rows[2])), (rows[0].hash, head));
    let odd = &rows[1].entry;
    assert_eq!(odd.outcome, Outcome::Refused("api.no-area".into()));
    assert!(odd.object.starts_with("a\u{fffd}ba") && odd.object.len() <= 1_024, "a long text is cut");
    assert_eq!(odd.reason, "字".repeat(16 * 1024 / 3));
    assert_eq!(store.audit_rows(2, 1).unwrap(), rows[1..2]);
    let mut told = Vec::new();
    assert_eq!(store.verify_audit(&[head], |last| told.push(last)).unwrap(), Ok(head));
    assert_eq!(told, [3]);
}

fn an_act_and_its_row_are_one(home: &Home) {
    let store = home.open();
    let alert = alert("gate-1", 0, EpisodePhase::Raised);
    let act = entry("alert.verdict");
    let unknown = store.set_verdict(alert.id, &verdict(Decision::Confirmed, 5), &Areas::Everywhere, Some(&act));
    assert!(matches!(unknown, Err(StoreError::UnknownAlert(_))));
    assert_eq!(home.rows("audit"), 0);
    store.upsert(&alert, None).unwrap();
    store.set_verdict(alert.id, &verdict(Decision::Confirmed, 5), &Areas::Everywhere, Some(&act)).unwrap();
    let entries: Vec<AuditEntry> = store.audit_rows(1, 9).unwrap().into_iter().map(|row| row.entry).collect();
    assert_eq!(entries, std::slice::from_ref(&act));
    // Without its row there is no act.
    home.sql("ALTER TABLE audit RENAME TO hidden");
    assert!(store.set_verdict(alert.id, &verdict(Decision::FalseAlarm, 6), &Areas::Everywhere, Some(&act)).is_err());
    home.sql("ALTER TABLE hidden RENAME TO audit");
    assert_eq!(
        store.get(alert.id, &Areas::Everywhere).unwrap().unwrap().verdict,
        Some(verdict(Decision::Confirmed, 5))
    );
    assert_eq!(home.rows("verdict"), 1);
}

fn writers_at_once_leave_one_chain(home: &Home) {
    const EACH: i64 = 50;
    let stores: Vec<AlertStore> = (0..3).map(|_| home.open()).collect();
    thread::scope(|scope| {
        for store in &stores {
            // Two threads on each connection.
            for _ in 0..2 {
                scope.spawn(|| append_all(store, 0..EACH));
            }
        }
    });
    let head = verified(&stores[0], &[]).unwrap();
    assert_eq!((head, head.number), (stores[1].audit_head().unwrap(), 6 * EACH as u64));
}

fn rows_are_only_added(home: &Home) {
    let store = home.open();
    append_all(&store, 1..4);
    let head = store.audit_head().unwrap();
    let columns = "at_us, who, role, peer, session, act, object, reason, outcome, detail, previous, hash";
    let mut refused = vec![
        "UPDATE audit SET who = 'nobody' WHERE number = 2".to_owned(),
        "UPDATE audit SET number = 9 WHERE number = 2".to_owned(),
        "DELETE FROM audit WHERE number = 3".to_owned(),
        "DELETE FROM audit".to_owned(),
        "UPDATE audit_head SET number = 2".to_owned(),
        "DELETE FROM audit_head".to_owned(),
        format!("INSERT INTO audit (number, {columns}) SELECT 2, {columns} FROM audit WHERE number = 1"),
    ];
    match home {
        Home::File(_) => refused.push(format!(
            "INSERT OR REPLACE INTO audit (number, {columns}) SELECT 2, {columns} FROM audit WHERE number = 1"
        )),
        Home::Server(_) => {
            refused.extend(["TRUNCATE audit".to_owned(), "TRUNCATE audit_head".to_owned()]);
            refused.push(format!(
                "INSERT INTO audit (number, {columns}) SELECT 2, {columns} FROM audit WHERE number = 1
                 ON CONFLICT (number) DO UPDATE SET who = 'nobody'"
            ));
        }
    }
    for sql in refused {
        assert!(home.try_sql(&sql).is_err(), "{sql}");
    }
    assert_eq!(verified(&store, &[head]), Ok(head));
}

/// A log of 9 rows to which somebody does something, and what is found then.
fn tampered(home: &Home, sql: &str) -> Result<ChainHead, Broken> {
    let store = home.open();
    append_all(&store, 1..10);
    without_triggers(home);
    home.sql(sql);
    verified(&store, &[])
}

fn an_altered_row_is_named(home: &Home) {
    let found = tampered(home, "UPDATE audit SET who = 'nobody' WHERE number = 4");
    assert_eq!(found, Err(Broken::Altered(4)));
    // What no store wrote is an alteration, too. Of the rows in a list it is the one that is missing.
    home.sql("UPDATE audit SET who = 'anna', outcome = 'odd' WHERE number = 4");
    let store = home.open();
    assert_eq!(verified(&store, &[]), Err(Broken::Altered(4)));
    let filter = AuditFilter { limit: 2, before: Some(6), ..AuditFilter::default() };
    let page = store.audit(&filter).unwrap();
    assert_eq!(page.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [5]);
    assert_eq!(page.next, Some(4), "the list goes on behind it");
    let exported: Vec<u64> = store.audit_rows(3, 3).unwrap().iter().map(|row| row.number).collect();
    assert_eq!(exported, [3, 5, 6]);
    assert_eq!(store.unreadable(), Some((1, "audit row 4".into())));
}

fn a_row_that_was_taken_out_is_named(home: &Home) {
    let found = tampered(home, "DELETE FROM audit WHERE number IN (4, 5)");
    assert_eq!(found, Err(Broken::Missing { from: 4, to: 5 }));
    home.sql("UPDATE audit SET outcome = 'odd' WHERE number = 6");
    assert_eq!(verified(&home.open(), &[]), Err(Broken::Missing { from: 4, to: 5 }), "the first damage is named");
}

fn an_end_that_was_cut_is_named(home: &Home) {
    let found = tampered(home, "DELETE FROM audit WHERE number > 7");
    assert_eq!(found, Err(Broken::Cut { last: 7, known: 9 }));
    // The next row does not hide it.
    let store = home.open();
    append(&store, 10);
    assert_eq!(verified(&store, &[]), Err(Broken::Missing { from: 8, to: 9 }));
    home.sql("DELETE FROM audit_head");
    assert!(matches!(store.verify_audit(&[], |_| {}), Err(StoreError::Damaged { .. })));
    assert!(store.append_audit(&[entry("alert.verdict")]).is_err(), "without a head nothing is added");
}

fn rows_that_were_swapped_are_named(home: &Home) {
    let found = tampered(
        home,
        "UPDATE audit SET number = 99 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 6;
         UPDATE audit SET number = 6 WHERE number = 99",
    );
    assert_eq!(found, Err(Broken::Moved { number: 3, written_as: 6 }));
}

fn a_log_that_was_written_anew_is_found_by_a_head_from_elsewhere(home: &Home) {
    let store = home.open();
    let heads: Vec<ChainHead> = (1..=9).map(|number| append(&store, number)).collect();
    without_triggers(home);
    let rows = store.audit_rows(1, 99).unwrap();
    let (mut previous, mut sql) = (ChainHash::START, String::new());
    for row in rows {
        let who = if row.number == 4 { "nobody".into() } else { row.entry.who.clone() };
        let anew = AuditRow::after(row.number, previous, AuditEntry { who, ..row.entry });
        let AuditRow { number, previous: before, hash, entry } = &anew;
        sql += &format!(
            "UPDATE audit SET who = '{}', previous = '{before}', hash = '{hash}' WHERE number = {number};",
            entry.who
        );
        previous = *hash;
    }
    home.sql(&sql);
    assert_eq!(verified(&store, &[]), Err(Broken::Rewritten(9)), "the store's own head was forgotten");
    home.sql(&format!("UPDATE audit_head SET hash = '{previous}'"));
    assert!(verified(&store, &[]).is_ok(), "its own hashes are right");
    assert_eq!(verified(&store, &heads[2..6]), Err(Broken::Rewritten(4)));
}

fn a_row_that_was_added_behind_the_head_is_found(home: &Home) {
    let store = home.open();
    let heads: Vec<ChainHead> = (1..=3).map(|number| append(&store, number)).collect();
    let AuditRow { previous, hash, entry, .. } = AuditRow::after(4, heads[2].hash, entry("alert.verdict"));
    home.sql(&format!(
        "INSERT INTO audit (number, at_us, who, role, peer, session, act, object, reason, outcome, detail, previous, hash)
         VALUES (4, {}, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{previous}', '{hash}')",
        entry.at.as_micros(),
        entry.who,
        entry.role,
        entry.peer,
        entry.session,
        entry.act,
        entry.object,
        entry.reason,
        entry.outcome,
        entry.detail
    ));
    assert_eq!(verified(&store, &[]), Err(Broken::Added(4)));
}

fn every_filter_lets_through_what_it_names(home: &Home) {
    let store = home.open();
    let rows = [
        AuditEntry { at: at(1), ..entry("alert.verdict") },
        AuditEntry { at: at(2), who: "token:probe".into(), ..entry("alert.verdict") },
        AuditEntry { at: at(3), object: "alert:8".into(), ..entry("look.snapshot") },
        AuditEntry { at: at(4), ..entry("look.clip") },
    ];
    store.append_audit(&rows).unwrap();
    let any = AuditFilter::default();
    for (filter, expected) in [
        (any.clone(), vec![4, 3, 2, 1]),
        (AuditFilter { who: Some("anna".into()), ..any.clone() }, vec![4, 3, 1]),
        (AuditFilter { act: Some("look.".into()), ..any.clone() }, vec![4, 3]),
        (AuditFilter { act: Some("look.c".into()), ..any.clone() }, vec![4]),
        (AuditFilter { act: Some("look_".into()), ..any.clone() }, vec![]),
        (AuditFilter { object: Some("alert:7".into()), ..any.clone() }, vec![4, 2, 1]),
        (AuditFilter { object: Some("alert:".into()), ..any.clone() }, vec![]),
        (AuditFilter { from: Some(at(2)), until: Some(at(4)), ..any.clone() }, vec![3, 2]),
        (AuditFilter { before: Some(3), ..any.clone() }, vec![2, 1]),
        (AuditFilter { who: Some("anna".into()), act: Some("alert.".into()), ..any.clone() }, vec![1]),
    ] {
        let page = store.audit(&filter).unwrap();
        assert_eq!(page.rows.iter().map(|row| row.number).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(page.next, None);
        let mut one_by_one = Vec::new();
        let mut filter = AuditFilter { limit: 1, ..filter };
        loop {
            let page = store.audit(&filter).unwrap();
            one_by_one.extend(page.rows.iter().map(|row| row.number));
            filter.before = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(one_by_one, expected);
    }
}

fn a_look_is_a_row(home: &Home) {
    let store = home.open();
    let id = alert("gate-1", 0, EpisodePhase::Raised).id;
    let look = |of: Looked, what: &str| EvidenceLook {
        of,
        at: at(3),
        who: "operator 7".into(),
        role: String::new(),
        session: String::new(),
        peer: "127.0.0.1".into(),
        reason: "review".into(),
        what: what.into(),
    };
    let camera = || Looked::Camera("gate-1".parse().unwrap());
    let looks = [
        look(Looked::Alert(id), "snapshot, people pixelated"),
        look(camera(), "glance"),
        look(Looked::Alert(id), "Odd"),
    ];
    looks.iter().for_each(|look| store.record_look(look).unwrap());
    store.append_audit(&[AuditEntry { object: format!("alert:{id}"), ..entry("alert.verdict") }]).unwrap();
    let rows = store.audit_rows(1, 9).unwrap();
    let acts: Vec<(&str, &str)> = rows.iter().map(|row| (&*row.entry.act, &*row.entry.object)).collect();
    let object = format!("alert:{id}");
    assert_eq!(acts[..3], [("look.snapshot", &*object), ("look.glance", "camera:gate-1"), ("look.other", &object)]);
    assert_eq!(store.looks(id).unwrap(), [looks[2].clone(), looks[0].clone()], "a verdict is no look");
    assert_eq!(store.looks_before(&camera(), None, 9).unwrap().looks, looks[1..2]);
}

fn looks_of_before_move_into_the_log_in_the_order_of_time(home: &Home) {
    drop(home.open());
    home.before_access();
    let id = |number: u128| AlertId(number);
    // More than one batch, of two tables; numbers do not follow time.
    let mut sql = String::new();
    for number in 0..1_300_i64 {
        let (table, column, of) = match number % 3 {
            0 => ("camera_look", "camera", "gate-1".to_owned()),
            _ => ("look", "alert", id(u128::from(number % 3 == 1)).to_string()),
        };
        let (at, what) = (
            at(number * 7_919 % 1_300).as_micros(),
            if number % 2 == 0 { "snapshot" } else { "clip, people pixelated" },
        );
        sql += &format!(
            "INSERT INTO {table} ({column}, at_us, who, peer, reason, what) VALUES ('{of}', {at}, 'n{number}', '::1', 'why', '{what}');"
        );
    }
    home.sql(&sql);
    let store = home.open();
    let head = verified(&store, &[]).unwrap();
    assert_eq!(head.number, 1_300);
    let rows = store.audit_rows(1, 2_000).unwrap();
    let times: Vec<Timestamp> = rows.iter().map(|row| row.entry.at).collect();
    assert_eq!(times, (0..1_300).map(at).collect::<Vec<_>>());
    for row in &rows {
        let number: i64 = row.entry.who[1..].parse().unwrap();
        let act = if number % 2 == 0 { "look.snapshot" } else { "look.clip" };
        assert_eq!((row.entry.at, &*row.entry.act), (at(number * 7_919 % 1_300), act));
    }
    let of_alert = store.looks_before(&Looked::Alert(id(1)), None, 1_000).unwrap().looks;
    assert_eq!(of_alert.len(), 433);
    assert!(of_alert.windows(2).all(|pair| pair[0].at > pair[1].at));
    assert!(home.try_sql("SELECT 1 FROM look").is_err() && home.try_sql("SELECT 1 FROM camera_look").is_err());
    // Once more opened, nothing is moved again.
    drop(store);
    assert_eq!(home.open().audit_head().unwrap(), head);
}

on_both! {
    rows_read_back_in_order_and_verify,
    an_act_and_its_row_are_one,
    writers_at_once_leave_one_chain,
    rows_are_only_added,
    an_altered_row_is_named,
    a_row_that_was_taken_out_is_named,
    an_end_that_was_cut_is_named,
    rows_that_were_swapped_are_named,
    a_log_that_was_written_anew_is_found_by_a_head_from_elsewhere,
    a_row_that_was_added_behind_the_head_is_found,
    every_filter_lets_through_what_it_names,
    a_look_is_a_row,
    looks_of_before_move_into_the_log_in_the_order_of_time,
}
