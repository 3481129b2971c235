//! Sessions of people, on a real file and on a real server.

use crate::accounts::{account, name, password};
use crate::audit::entry;
use crate::support::{Home, at};
use vedette_access::{Account, Login, Secret, SecretKind, Session};
use vedette_alert_store::{AccountChange, AlertStore, StoreError};
use vedette_core::{Span, Timestamp};

const IDLE: Span = Span::from_secs(60);

fn session(of: &Account, second: i64) -> Session {
    Session {
        hash: Secret::random(SecretKind::Session).hash(),
        account: of.name.clone(),
        began: at(second),
        used: at(second),
        ends: at(second + 1_000),
        peer: "192.0.2.7".into(),
        provider_session: None,
        id_token: None,
    }
}

fn begin(store: &AlertStore, of: &Account, second: i64) -> Session {
    let session = session(of, second);
    store.begin_session(&session, of, None).unwrap();
    session
}

fn with_account(home: &Home) -> (AlertStore, Account) {
    let (store, anna) = (home.open(), account("anna", "administrator"));
    store.add_account(&anna, None).unwrap();
    (store, anna)
}

fn before(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() - 1)
}

fn a_session_lives_to_the_microsecond(home: &Home) {
    let (store, anna) = with_account(home);
    let mut session = session(&anna, 0);
    session.ends = at(100);
    (session.provider_session, session.id_token) = (Some("sid".into()), Some("a.b.c".into()));
    store.begin_session(&session, &anna, Some(&entry("session.begin"))).unwrap();
    let found = |now| store.session(&session.hash, now, IDLE).unwrap();
    assert_eq!(found(at(0)), Some((session.clone(), anna.clone())));
    assert!(found(before(at(60))).is_some());
    assert_eq!(found(at(60)), None, "not used for as long as `idle`");
    store.touch_session(&session.hash, at(50)).unwrap();
    store.touch_session(&session.hash, at(40)).unwrap();
    let (touched, _) = found(before(at(100))).unwrap();
    assert_eq!(touched, Session { used: at(50), ..session.clone() });
    assert_eq!(found(at(100)), None, "it ends, however much it is used");
    assert!(found(at(-9_000)).is_some(), "a clock that was set back ends nobody's session");
    assert_eq!(store.session(&Secret::random(SecretKind::Session).hash(), at(1), IDLE).unwrap(), None);
    // It stays in the list until it is dropped.
    assert_eq!(store.drop_ended_sessions(before(at(100))).unwrap(), 0);
    assert_eq!(store.drop_ended_sessions(at(100)).unwrap(), 1);
    assert_eq!((home.rows("session"), home.rows("audit")), (0, 1));
}

fn a_new_password_a_disabled_account_and_its_removal_end_the_sessions(home: &Home) {
    let (store, _) = with_account(home);
    let berta = account("berta", "viewer");
    store.add_account(&berta, None).unwrap();
    let is_there = |session: &Session| store.session(&session.hash, at(1), IDLE).unwrap().is_some();
    let none = AccountChange::default();
    let session = begin(&store, &berta, 0);
    let grants = Some(crate::accounts::grants("operator"));
    let berta = store.change_account(&berta.name, &AccountChange { grants, ..none.clone() }, at(1), None).unwrap();
    assert!(is_there(&session), "its grants are read anew with each request");
    let same = AccountChange { login: Some(berta.login.clone()), ..none.clone() };
    store.change_account(&berta.name, &same, at(1), None).unwrap();
    assert!(is_there(&session));
    let change = AccountChange { login: Some(password("$argon2id$2")), ..none.clone() };
    let berta = store.change_account(&berta.name, &change, at(2), None).unwrap();
    assert!(!is_there(&session));
    let session = begin(&store, &berta, 0);
    store.change_account(&berta.name, &AccountChange { enabled: Some(false), ..none.clone() }, at(3), None).unwrap();
    assert!(!is_there(&session));
    let enabled = AccountChange { enabled: Some(true), ..none };
    let berta = store.change_account(&berta.name, &enabled, at(4), None).unwrap();
    assert!(!is_there(&session), "it does not come back");
    let session = begin(&store, &berta, 0);
    // Past the store: a session of a disabled account is none.
    home.sql("UPDATE account SET enabled = 0 WHERE name = 'berta'");
    assert!(!is_there(&session));
    store.remove_account(&berta.name, None).unwrap();
    assert_eq!(home.rows("session"), 0);
}

fn an_account_that_changed_during_the_login_has_no_session(home: &Home) {
    let (store, anna) = with_account(home);
    let berta = account("berta", "viewer");
    store.add_account(&berta, None).unwrap();
    let change = AccountChange { login: Some(password("$argon2id$2")), ..AccountChange::default() };
    store.change_account(&berta.name, &change, at(2), None).unwrap();
    let act = entry("session.begin");
    let error = store.begin_session(&session(&berta, 3), &berta, Some(&act)).unwrap_err();
    assert!(matches!(error, StoreError::AccountChanged(_)), "the old password was checked: {error}");
    let error = store.begin_session(&session(&berta, 3), &anna, Some(&act)).unwrap_err();
    assert!(matches!(error, StoreError::AccountChanged(_)), "another account was checked: {error}");
    store.remove_account(&berta.name, None).unwrap();
    let error = store.begin_session(&session(&berta, 3), &berta, Some(&act)).unwrap_err();
    assert!(matches!(error, StoreError::UnknownAccount(_)), "{error}");
    assert_eq!((home.rows("session"), home.rows("audit")), (0, 0));
}

fn an_account_has_twenty_sessions_and_the_oldest_makes_room(home: &Home) {
    let (store, anna) = with_account(home);
    let berta = account("berta", "viewer");
    store.add_account(&berta, None).unwrap();
    let other = begin(&store, &berta, -50);
    let mut all: Vec<Session> = (0..20).map(|second| begin(&store, &anna, second)).collect();
    // The clock was set back: the new one is not taken for the oldest.
    all.push(begin(&store, &anna, -10));
    let mut listed = store.sessions(Some(&anna.name)).unwrap();
    listed.sort_by_key(|session| session.began);
    assert_eq!(
        listed.iter().map(|it| it.hash).collect::<Vec<_>>(),
        [&[all[20].hash][..], &all[1..20].iter().map(|it| it.hash).collect::<Vec<_>>()].concat()
    );
    assert_eq!(store.sessions(None).unwrap().len(), 21);
    assert_eq!(store.sessions(Some(&berta.name)).unwrap(), [other]);
}

fn sessions_are_ended_one_by_one_and_together(home: &Home) {
    let (store, anna) = with_account(home);
    let all: Vec<Session> = (0..4).map(|second| begin(&store, &anna, second)).collect();
    assert!(store.end_session(&all[0].hash, Some(&entry("session.end"))).unwrap());
    assert!(!store.end_session(&all[0].hash, Some(&entry("session.end"))).unwrap());
    let act = entry("session.end-other");
    assert_eq!(store.end_session_by_id(&all[1].hash.id(), Some(&act)).unwrap(), anna.name);
    for id in [&*all[1].hash.id(), "", &all[2].hash.id()[..15], &all[2].hash.to_string(), "000000000000000%", "g"] {
        let error = store.end_session_by_id(id, Some(&act)).unwrap_err();
        assert!(matches!(error, StoreError::UnknownSession(_)), "{id}: {error}");
    }
    assert_eq!(store.end_sessions_of(&name("berta"), None).unwrap(), 0);
    assert_eq!(store.end_sessions_of(&anna.name, Some(&act)).unwrap(), 2);
    assert_eq!((home.rows("session"), home.rows("audit")), (0, 3));
}

fn a_provider_ends_its_own_sessions_only(home: &Home) {
    let (store, anna) = with_account(home);
    let own = begin(&store, &anna, 0);
    let of_provider = |of: &str, issuer: &str, subject: &str, sids: &[&str]| {
        let login = Login::Provider { issuer: issuer.into(), subject: subject.into() };
        let account = Account { login, ..account(of, "viewer") };
        store.add_account(&account, None).unwrap();
        for sid in sids {
            let new = Session { provider_session: Some((*sid).into()), ..session(&account, 0) };
            store.begin_session(&new, &account, None).unwrap();
        }
    };
    of_provider("berta", "https://one", "b", &["1", "2", "2"]);
    of_provider("carl", "https://one", "c", &["2", "3"]);
    of_provider("dora", "https://two", "b", &["1", "2"]);
    let end = |issuer, subject, sid| store.end_provider_sessions(issuer, subject, sid, None).unwrap();
    assert_eq!(end("https://one", None, None), 0);
    assert_eq!(end("https://other", Some("b"), None), 0);
    assert_eq!(end("https://one", Some("c"), Some("1")), 0);
    assert_eq!(end("https://one", Some("b"), Some("2")), 2);
    assert_eq!(end("https://one", None, Some("2")), 1);
    assert_eq!(end("https://one", Some("b"), None), 1);
    assert_eq!(end("https://one", None, Some("3")), 1);
    let left: Vec<String> = store.sessions(None).unwrap().iter().map(|it| it.account.to_string()).collect();
    assert_eq!(left.iter().filter(|name| *name == "dora").count(), 2);
    assert!(left.len() == 3 && store.session(&own.hash, at(1), IDLE).unwrap().is_some());
}

fn a_damaged_session_hides_no_other(home: &Home) {
    let (store, anna) = with_account(home);
    let (first, second) = (begin(&store, &anna, 0), begin(&store, &anna, 1));
    home.sql(&format!("UPDATE session SET hash = 'x' WHERE hash = '{}'", first.hash));
    assert_eq!(store.sessions(None).unwrap(), [second]);
    assert_eq!(store.unreadable(), Some((1, "session x".into())));
    assert_eq!(store.session(&first.hash, at(1), IDLE).unwrap(), None);
}

on_both! {
    a_session_lives_to_the_microsecond,
    a_new_password_a_disabled_account_and_its_removal_end_the_sessions,
    an_account_that_changed_during_the_login_has_no_session,
    an_account_has_twenty_sessions_and_the_oldest_makes_room,
    sessions_are_ended_one_by_one_and_together,
    a_provider_ends_its_own_sessions_only,
    a_damaged_session_hides_no_other,
}
