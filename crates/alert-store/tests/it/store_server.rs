//! Guarantees of a store on a server only: several writers, a server that dies, tables that others may have made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::support::{alert, connect, verdict};
use vedette_access::Areas;
use vedette_alert_store::{AlertStore, PostgresServer, StoreError, Upserted};
use vedette_alerts::{Decision, StoredAlert};
use vedette_core::EpisodePhase::{Ended, Raised};
use vedette_core::{Alert, AlertId};

fn try_to_connect(address: &str) -> StoreError {
    AlertStore::connect(PostgresServer::new(address, None).unwrap()).map(|_| ()).unwrap_err()
}

fn database(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

#[test]
fn two_writers_of_the_same_alerts_leave_each_once_and_a_reader_misses_no_change() {
    let address = Cluster::shared().database();
    let reader = connect(&address);
    let alerts: Vec<Alert> =
        (0..20).flat_map(|second| [Raised, Ended].map(|phase| alert("gate-1", second, phase))).collect();
    let writing = AtomicBool::new(true);
    let (outcomes, seen) = thread::scope(|scope| {
        let address = &address;
        let write = move |alerts: Vec<&Alert>| {
            let store = connect(address);
            alerts.into_iter().map(|alert| store.upsert(alert, None).unwrap()).collect::<Vec<_>>()
        };
        let writers =
            [alerts.iter().collect(), alerts.iter().rev().collect()].map(|alerts| scope.spawn(move || write(alerts)));
        let following = scope.spawn(|| {
            let mut seen: Vec<StoredAlert> = Vec::new();
            loop {
                let last_round = !writing.load(Ordering::SeqCst);
                let after = seen.last().map_or(0, |change| change.change);
                seen.extend(reader.changes_after(after, after, 3, &Areas::Everywhere).unwrap());
                if last_round && seen.last().map_or(0, |change| change.change) == reader.last_change().unwrap() {
                    return seen;
                }
            }
        });
        let outcomes: Vec<Upserted> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        writing.store(false, Ordering::SeqCst);
        (outcomes, following.join().unwrap())
    });
    let changed = outcomes.iter().filter(|outcome| outcome.changed()).count() as u64;
    assert_eq!(reader.last_change().unwrap(), changed, "each change has a number, and only a change");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Upserted::Inserted).count(), 20);
    let counts = reader.counts(&Areas::Everywhere).unwrap();
    assert_eq!((counts.alerts, counts.open, counts.conflicts), (20, 0, 0));
    // Who followed by number saw every alert as it is in the end: no number became visible behind one already seen.
    let ended: BTreeSet<AlertId> = seen.iter().filter(|it| it.alert.ended.is_some()).map(|it| it.alert.id).collect();
    assert_eq!(ended.len(), 20);
    assert!(seen.windows(2).all(|pair| pair[0].change < pair[1].change));
}

#[test]
fn contradictions_of_writers_at_the_same_moment_leave_the_first_and_are_all_counted() {
    const WRITERS: usize = 6;
    let cluster = Cluster::shared();
    let address = cluster.database();
    let stores: Vec<AlertStore> = (0..WRITERS).map(|_| connect(&address)).collect();
    let named = |name: &str| Alert { rule_name: name.into(), ..alert("gate-1", 0, Raised) };
    // Somebody holds the counter until every writer waits: then all of them are in the middle of it.
    let mut holder = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut held = holder.transaction().unwrap();
    held.execute("UPDATE vedette.counter SET value = value", &[]).unwrap();
    let outcomes: Vec<(String, Upserted)> = thread::scope(|scope| {
        let writers: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(number, store)| (store, named(&format!("rule of writer {number}"))))
            .map(|(store, alert)| scope.spawn(move || (alert.rule_name.clone(), store.upsert(&alert, None).unwrap())))
            .collect();
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock'";
        while cluster.sql(database(&address), waiting).trim() != WRITERS.to_string() {}
        held.commit().unwrap();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let (first, others): (Vec<_>, Vec<_>) = outcomes.iter().partition(|(_, outcome)| *outcome == Upserted::Inserted);
    assert_eq!((first.len(), others.len()), (1, WRITERS - 1), "{outcomes:?}");
    assert!(others.iter().all(|(_, outcome)| *outcome == Upserted::Conflict));
    let store = connect(&address);
    assert_eq!(store.get(named("").id, &Areas::Everywhere).unwrap().unwrap().alert.rule_name, first[0].0);
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().conflicts, WRITERS as u64 - 1);
    assert_eq!(store.last_change().unwrap(), 1);
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_lost_nothing_and_a_reader_goes_on_from_its_number() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let store = connect(&address);
    let alerts: Vec<Alert> = (0..9).map(|second| alert("gate-1", second, Raised)).collect();
    for alert in &alerts[..3] {
        store.upsert(alert, None).unwrap();
    }
    let seen = store.last_change().unwrap();
    store.set_verdict(alerts[0].id, &verdict(Decision::Confirmed, 5), &Areas::Everywhere, None).unwrap();

    cluster.kill();
    for error in [store.upsert(&alerts[3], None).unwrap_err(), store.last_change().unwrap_err()] {
        assert!(error.is_unreachable(), "{error}");
        assert!(error.to_string().contains(&address) && error.to_string().contains("pg_hba.conf"), "{error}");
    }
    cluster.restart();
    // The store is the same value: it connects by itself. What was refused is given again, as the alert sink does.
    for alert in &alerts[2..6] {
        again_until_reached(|| store.upsert(alert, None));
    }
    // A restart between two calls is not even seen.
    cluster.kill();
    cluster.restart();
    for alert in &alerts[6..] {
        store.upsert(alert, None).unwrap();
    }
    let resumed: Vec<AlertId> =
        store.changes_after(seen, seen, 100, &Areas::Everywhere).unwrap().iter().map(|it| it.alert.id).collect();
    let expected: Vec<AlertId> = [0].into_iter().chain(3..9).map(|at: usize| alerts[at].id).collect();
    assert_eq!(resumed, expected, "the verdict and all that came after, in order, each once");
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().alerts, 9);
}

/// A store that found no server does not try again for a moment.
fn again_until_reached<T>(call: impl Fn() -> Result<T, StoreError>) -> T {
    loop {
        match call() {
            Ok(done) => return done,
            Err(error) => assert!(error.is_unreachable(), "{error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn connections_that_the_server_cut_are_made_again() {
    let address = Cluster::shared().database();
    let store = connect(&address);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'vedette' \
               AND datname = current_database()";
    assert_eq!(Cluster::shared().sql(database(&address), cut).trim(), "2", "one that writes, one that reads");
    assert_eq!(store.upsert(&alert("gate-1", 0, Raised), None).unwrap(), Upserted::Inserted);
    assert_eq!(store.last_change().unwrap(), 1);
}

#[test]
fn tables_of_others_and_of_later_versions_are_left_alone() {
    let cluster = Cluster::shared();
    let foreign = cluster.database();
    cluster.sql(database(&foreign), "CREATE SCHEMA vedette; CREATE TABLE vedette.songs (title text)");
    assert!(matches!(try_to_connect(&foreign), StoreError::Foreign { .. }));

    let newer = cluster.database();
    connect(&newer);
    cluster.sql(database(&newer), "UPDATE vedette.store_version SET version = 99");
    assert!(matches!(try_to_connect(&newer), StoreError::Newer { found: 99, .. }));

    // Tables of the same names in another schema do not matter.
    let shared = cluster.database();
    cluster.sql(database(&shared), "CREATE TABLE alert (title text); CREATE SCHEMA vedette");
    assert_eq!(connect(&shared).counts(&Areas::Everywhere).unwrap().alerts, 0);
}

#[test]
fn a_server_that_cannot_be_used_says_why_and_what_to_do() {
    let cluster = Cluster::shared();
    let missing = try_to_connect(&cluster.address("no_such_database")).to_string();
    assert!(missing.contains("no_such_database") && missing.contains("does not exist"), "{missing}");

    let address = cluster.database();
    cluster.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    let latin = try_to_connect(&cluster.address("latin")).to_string();
    assert!(latin.contains("LATIN1") && latin.contains("ENCODING 'UTF8'"), "{latin}");

    cluster.sql("postgres", "CREATE ROLE guest LOGIN");
    let guest = try_to_connect(&address.replace("vedette@", "guest@")).to_string();
    assert!(guest.contains("permission denied") && guest.contains("CREATE SCHEMA vedette AUTHORIZATION"), "{guest}");
}

#[test]
fn a_password_is_given_and_never_told() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    cluster.sql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 'right-one'");
    cluster.sql("postgres", &format!("GRANT CREATE ON DATABASE {} TO guarded", database(&address)));
    let connect = |password| {
        AlertStore::connect(PostgresServer::new(&address.replace("vedette@", "guarded@"), password).unwrap())
    };
    let none = connect(None).unwrap_err().to_string();
    assert!(none.contains("password"), "{none}");
    let wrong = connect(Some("wrong-one")).unwrap_err().to_string();
    assert!(wrong.contains("password authentication failed") && !wrong.contains("wrong-one"), "{wrong}");
    let store = connect(Some("right-one")).unwrap();
    assert_eq!(store.upsert(&alert("gate-1", 0, Raised), None).unwrap(), Upserted::Inserted);
    assert!(!format!("{store:?}").contains("right-one"));
}

#[test]
fn a_store_that_was_used_is_dropped_on_an_async_thread_without_harm() {
    let address = Cluster::shared().database();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = connect(&address);
    runtime.block_on(async move { drop(store) });
}

#[test]
fn lists_are_found_by_index() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    connect(&address).upsert(&alert("gate-1", 0, Raised), None).unwrap();
    // With sequential scans ruled out, the plan shows which index can serve.
    let plan = |condition: &str| {
        let sql = format!(
            "SET search_path TO vedette; SET enable_seqscan = off; \
             EXPLAIN SELECT payload FROM alert WHERE {condition} ORDER BY raised_us DESC, id DESC LIMIT 101"
        );
        cluster.sql(database(&address), &sql)
    };
    for (condition, index) in [
        ("code >= '440304' AND code < '440304\u{7f}'", "alert_by_code"),
        ("substr(code, 1, 6) = '440304'", "alert_by_district"),
        ("substr(code, 1, 9) = '440304001'", "alert_by_street"),
        ("substr(code, 1, 12) = '440304001001'", "alert_by_community"),
        ("camera = 'gate-1'", "alert_by_"),
        ("(raised_us, id) < (5, 'x')", "alert_by_time"),
        ("id IN (SELECT alert FROM responsible WHERE code = 'P01' AND kind = 'police')", "responsible_by_unit"),
    ] {
        assert!(plan(condition).contains(index), "{}", plan(condition));
    }
}
