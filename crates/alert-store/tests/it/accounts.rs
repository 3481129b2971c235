//! Accounts of people and tokens of machines, on a real file and on a real server.

use std::sync::Barrier;
use std::thread;

use crate::audit::entry;
use crate::support::{Home, at};
use vedette_access::{Account, Grants, Login, Name, PasswordHash, Secret, SecretKind, Token};
use vedette_alert_store::{AccountChange, ProviderLogin, StoreError};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn grants(text: &str) -> Grants {
    Grants::new(text.split(' ').map(|grant| grant.parse().unwrap()).collect()).unwrap()
}

pub(crate) fn password(text: &str) -> Login {
    Login::Password(PasswordHash::stored(text.into()))
}

pub(crate) fn account(of: &str, role: &str) -> Account {
    let (made, changed) = (at(1), at(1));
    Account { name: name(of), login: password("$argon2id$1"), grants: grants(role), enabled: true, made, changed }
}

fn token(of: &str) -> Token {
    Token {
        name: name(of),
        hash: Secret::random(SecretKind::Token).hash(),
        grants: grants("monitor"),
        maker: "anna".into(),
        made: at(1),
        expires: at(100),
        used: None,
    }
}

fn login(subject: &str, of: &str, role: &str, second: i64) -> ProviderLogin {
    let (name, grants, at) = (name(of), grants(role), at(second));
    ProviderLogin { issuer: "https://id.example".into(), subject: subject.into(), name, grants, at }
}

const DISABLE: AccountChange = AccountChange { grants: None, login: None, enabled: Some(false) };

fn an_account_reads_back_and_there_is_one_of_a_name(home: &Home) {
    let store = home.open();
    assert!(!store.has_accounts().unwrap());
    let anna = account("anna", "administrator");
    let mut berta = account("berta", "operator@group:东门,address:440305 viewer");
    berta.login = Login::Provider { issuer: "https://id.example".into(), subject: "b-1".into() };
    berta.enabled = false;
    for account in [&berta, &anna] {
        store.add_account(account, None).unwrap();
    }
    drop(store);
    let store = home.open();
    assert!(store.has_accounts().unwrap());
    assert_eq!(store.accounts().unwrap(), [anna.clone(), berta.clone()]);
    assert_eq!(store.account(&name("berta")).unwrap(), Some(berta.clone()));
    assert_eq!(store.account(&name("nobody")).unwrap(), None);
    assert_eq!(store.account_of_provider("https://id.example", "b-1").unwrap(), Some(berta.clone()));
    assert_eq!(store.account_of_provider("https://other.example", "b-1").unwrap(), None);
    let again = Account { login: berta.login.clone(), ..account("carl", "viewer") };
    for (there, new) in [("anna", &account("ANNA", "viewer")), ("berta", &again)] {
        let error = store.add_account(new, Some(&entry("account.add"))).unwrap_err();
        assert!(matches!(&error, StoreError::AlreadyThere { name, .. } if name.as_str() == there), "{error}");
    }
    let taken = AccountChange { login: Some(berta.login.clone()), ..AccountChange::default() };
    let error = store.change_account(&anna.name, &taken, at(2), None).unwrap_err();
    assert!(matches!(error, StoreError::AlreadyThere { .. }), "{error}");
    assert_eq!(store.account(&anna.name).unwrap(), Some(anna));
    assert_eq!(home.rows("audit"), 0, "what was refused has no row");
}

fn a_change_is_what_it_names_and_has_its_row(home: &Home) {
    let store = home.open();
    let (anna, berta) = (account("anna", "administrator"), account("berta", "viewer"));
    store.add_account(&anna, Some(&entry("account.add"))).unwrap();
    store.add_account(&berta, Some(&entry("account.add"))).unwrap();
    let change = AccountChange { grants: Some(grants("operator")), ..AccountChange::default() };
    let changed = store.change_account(&berta.name, &change, at(5), Some(&entry("account.change"))).unwrap();
    assert_eq!(changed, Account { grants: grants("operator"), changed: at(5), ..berta.clone() });
    assert_eq!(store.account(&berta.name).unwrap(), Some(changed.clone()));
    let same = store.change_account(&berta.name, &change, at(6), None).unwrap();
    assert_eq!(same, changed, "nothing changed, so neither did the time");
    store.remove_account(&berta.name, Some(&entry("account.remove"))).unwrap();
    assert_eq!(store.account(&berta.name).unwrap(), None);
    for error in [
        store.change_account(&berta.name, &change, at(7), Some(&entry("account.change"))).unwrap_err(),
        store.remove_account(&berta.name, Some(&entry("account.remove"))).unwrap_err(),
    ] {
        assert!(matches!(&error, StoreError::UnknownAccount(name) if *name == berta.name), "{error}");
    }
    let acts: Vec<String> = store.audit_rows(1, 9).unwrap().into_iter().map(|row| row.entry.act).collect();
    assert_eq!(acts, ["account.add", "account.add", "account.change", "account.remove"]);
}

fn the_last_administrator_stays(home: &Home) {
    let store = home.open();
    let anna = account("anna", "administrator");
    store.add_account(&anna, None).unwrap();
    // None of these is an enabled administrator of the whole site.
    store.add_account(&account("berta", "administrator@group:gates"), None).unwrap();
    store.add_account(&account("carl", "operator auditor"), None).unwrap();
    store.add_account(&Account { enabled: false, ..account("dora", "administrator") }, None).unwrap();
    let demote = AccountChange { grants: Some(grants("operator")), ..AccountChange::default() };
    for error in [
        store.change_account(&anna.name, &demote, at(2), Some(&entry("account.change"))).unwrap_err(),
        store.change_account(&anna.name, &DISABLE, at(2), Some(&entry("account.change"))).unwrap_err(),
        store.remove_account(&anna.name, Some(&entry("account.remove"))).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::LastAdministrator), "{error}");
    }
    assert_eq!(store.account(&anna.name).unwrap(), Some(anna.clone()));
    assert_eq!(home.rows("audit"), 0);
    let enable = AccountChange { enabled: Some(true), ..AccountChange::default() };
    store.change_account(&name("dora"), &enable, at(3), None).unwrap();
    store.remove_account(&anna.name, None).unwrap();
    assert!(matches!(store.remove_account(&name("dora"), None), Err(StoreError::LastAdministrator)));
}

/// Each removes or disables the other, at the same moment, by a store of its own.
fn of_two_administrators_who_remove_each_other_one_stays(home: &Home) {
    let stores = [home.open(), home.open()];
    let both = [account("anna", "administrator"), account("berta", "administrator")];
    for round in 0..200 {
        for account in &both {
            if stores[0].account(&account.name).unwrap().is_some() {
                let enable = AccountChange { enabled: Some(true), ..AccountChange::default() };
                stores[0].change_account(&account.name, &enable, at(round), None).unwrap();
            } else {
                stores[0].add_account(account, None).unwrap();
            }
        }
        let barrier = Barrier::new(2);
        let outcomes = thread::scope(|scope| {
            let acts = [(&stores[0], &both[1].name), (&stores[1], &both[0].name)].map(|(store, other)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    match round % 2 {
                        0 => store.remove_account(other, None),
                        _ => store.change_account(other, &DISABLE, at(round), None).map(drop),
                    }
                })
            });
            acts.map(|act| act.join().unwrap())
        });
        let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(matches!(refused[..], [StoreError::LastAdministrator]), "{outcomes:?}");
        let left = stores[1].accounts().unwrap().into_iter().filter(|account| account.enabled).count();
        assert_eq!(left, 1);
    }
}

fn there_once_was_an_account_for_ever(home: &Home) {
    let store = home.open();
    store.add_account(&account("anna", "viewer"), None).unwrap();
    store.remove_account(&name("anna"), None).unwrap();
    assert!(store.accounts().unwrap().is_empty());
    assert!(home.open().has_accounts().unwrap());
    home.sql("UPDATE counter SET value = 0 WHERE name = 'accounts'");
    assert!(!store.has_accounts().unwrap());
    store.add_account(&account("anna", "viewer"), None).unwrap();
    home.sql("UPDATE counter SET value = 0 WHERE name = 'accounts'");
    assert!(store.has_accounts().unwrap(), "an account counts, whatever the counter says");
    home.sql("DELETE FROM counter WHERE name = 'accounts'");
    assert!(matches!(store.has_accounts(), Err(StoreError::Damaged { .. })), "it is not taken for `none`");
}

fn the_account_of_a_provider_is_made_once_and_follows_its_claims(home: &Home) {
    let store = home.open();
    let first = store.put_provider_account(&login("a-1", "anna", "administrator", 1), Some(&entry("session.begin")));
    let first = first.unwrap();
    assert_eq!((first.name.as_str(), first.enabled, first.made), ("anna", true, at(1)));
    // The name there is another one now; here it stays. The provider's word counts also for the last administrator.
    let demoted = store.put_provider_account(&login("a-1", "anna.li", "operator", 2), None).unwrap();
    assert_eq!(demoted, Account { grants: grants("operator"), changed: at(2), ..first });
    assert_eq!(store.account_of_provider("https://id.example", "a-1").unwrap(), Some(demoted));
    let other = store.put_provider_account(&login("a-2", "anna", "viewer", 3), Some(&entry("session.begin")));
    assert!(matches!(other, Err(StoreError::AlreadyThere { .. })), "another person of that name is not let in");
    store.change_account(&name("anna"), &DISABLE, at(4), None).unwrap();
    let disabled = store.put_provider_account(&login("a-1", "anna", "administrator", 5), None).unwrap();
    assert!(!disabled.enabled, "a login does not enable it again");
    assert_eq!((store.accounts().unwrap().len(), home.rows("audit")), (1, 1));
}

fn ten_thousand_accounts_and_a_thousand_tokens_are_the_most(home: &Home) {
    let store = home.open();
    let (first, last) = (account("anna", "administrator"), account("berta", "viewer"));
    store.add_account(&first, None).unwrap();
    store.add_token(&token("probe"), None).unwrap();
    home.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)
         INSERT INTO account SELECT 'u' || i, 'x', NULL, NULL, '[{\"role\":\"viewer\"}]', 1, 0, 0 FROM n;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 998)
         INSERT INTO token SELECT 't' || i, 'h' || i, '[]', '', 0, 0, NULL FROM n;",
    );
    store.add_account(&last, None).unwrap();
    let error = store.add_account(&account("carl", "viewer"), None).unwrap_err();
    assert!(matches!(error, StoreError::TooMany { what: "accounts", most: 10_000 }), "{error}");
    let error = store.put_provider_account(&login("a-1", "carl", "viewer", 1), None).unwrap_err();
    assert!(matches!(error, StoreError::TooMany { .. }), "{error}");
    assert_eq!(store.accounts().unwrap().len(), 10_000);
    store.add_token(&token("second"), None).unwrap();
    let error = store.add_token(&token("third"), None).unwrap_err();
    assert!(matches!(error, StoreError::TooMany { what: "tokens", most: 1_000 }), "{error}");
    assert_eq!(store.tokens().unwrap().len(), 2, "those with grants that cannot be read are left out");
    assert_eq!(store.unreadable().unwrap().0, 998);
}

fn a_damaged_account_hides_no_other_and_can_be_removed(home: &Home) {
    let store = home.open();
    for (of, role) in [("anna", "administrator"), ("berta", "administrator"), ("carl", "viewer")] {
        store.add_account(&account(of, role), None).unwrap();
    }
    home.sql("UPDATE account SET grants = '[' WHERE name = 'berta'");
    let names: Vec<String> = store.accounts().unwrap().iter().map(|account| account.name.to_string()).collect();
    assert_eq!(names, ["anna", "carl"]);
    assert_eq!(store.unreadable(), Some((1, "account berta".into())));
    assert!(matches!(store.account(&name("berta")), Err(StoreError::Damaged { .. })));
    assert!(matches!(store.remove_account(&name("anna"), None), Err(StoreError::LastAdministrator)));
    store.remove_account(&name("berta"), None).unwrap();
    assert_eq!(home.rows("account"), 2);
}

fn a_token_is_found_by_its_secret_until_the_microsecond_it_expires(home: &Home) {
    let store = home.open();
    let (probe, other) = (token("probe"), token("crawler"));
    store.add_token(&probe, Some(&entry("token.add"))).unwrap();
    store.add_token(&other, None).unwrap();
    let taken = store.add_token(&token("probe"), Some(&entry("token.add"))).unwrap_err();
    assert!(matches!(taken, StoreError::AlreadyThere { what: "token", .. }), "{taken}");
    let last = vedette_core::Timestamp::from_micros(probe.expires.as_micros() - 1);
    assert_eq!(store.token(&probe.hash, last).unwrap(), Some(probe.clone()));
    assert_eq!(store.token(&probe.hash, probe.expires).unwrap(), None);
    store.touch_token(&probe.hash, at(7)).unwrap();
    store.touch_token(&probe.hash, at(6)).unwrap();
    assert_eq!(store.token(&probe.hash, at(8)).unwrap().unwrap().used, Some(at(7)));
    assert_eq!(store.tokens().unwrap(), [other, Token { used: Some(at(7)), ..probe.clone() }]);
    store.revoke_token(&probe.name, Some(&entry("token.revoke"))).unwrap();
    assert_eq!(store.token(&probe.hash, at(8)).unwrap(), None);
    let gone = store.revoke_token(&probe.name, Some(&entry("token.revoke"))).unwrap_err();
    assert!(matches!(gone, StoreError::UnknownToken(_)), "{gone}");
    let acts: Vec<String> = store.audit_rows(1, 9).unwrap().into_iter().map(|row| row.entry.act).collect();
    assert_eq!(acts, ["token.add", "token.revoke"]);
}

on_both! {
    an_account_reads_back_and_there_is_one_of_a_name,
    a_change_is_what_it_names_and_has_its_row,
    the_last_administrator_stays,
    of_two_administrators_who_remove_each_other_one_stays,
    there_once_was_an_account_for_ever,
    the_account_of_a_provider_is_made_once_and_follows_its_claims,
    ten_thousand_accounts_and_a_thousand_tokens_are_the_most,
    a_damaged_account_hides_no_other_and_can_be_removed,
    a_token_is_found_by_its_secret_until_the_microsecond_it_expires,
}
