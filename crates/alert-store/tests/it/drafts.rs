//! Drafts of policies, and alerts by their rule.

use vedette_access::Areas;
use vedette_alert_store::{
    AlertFilter, AlertStore, DRAFTS_KEPT, DraftForm, DraftKey, DraftWritten, NewDraft, StoreError, StoredDraft,
};
use vedette_core::EpisodePhase::{Ended, Raised};
use vedette_core::{Alert, RuleId, Span};

use crate::accounts::{account, name};
use crate::support::{Home, alert, at, ids, seen};

fn key(owner: &str, scope: &str) -> DraftKey {
    DraftKey { owner: owner.into(), scope: scope.into() }
}

fn new(content: &str) -> NewDraft {
    NewDraft { form: DraftForm::Toml, content: content.into(), based_on: Some(at(0)), by: "anna".into() }
}

fn put(store: &AlertStore, key: &DraftKey, content: &str, seen: Option<u64>) -> DraftWritten<StoredDraft> {
    store.put_draft(key, &new(content), seen, at(10)).unwrap()
}

fn done(written: DraftWritten<StoredDraft>) -> StoredDraft {
    let DraftWritten::Done(draft) = written else { panic!("{written:?}") };
    draft
}

fn a_draft_is_written_against_the_version_that_was_seen(home: &Home) {
    let store = home.open();
    let anna = key("anna", "group/campus");
    assert_eq!(store.draft(&anna, at(10)).unwrap(), None);
    assert_eq!(put(&store, &anna, "one", Some(7)), DraftWritten::Other(None), "there is none to write over");
    let first = done(put(&store, &anna, "one", None));
    assert_eq!(store.draft(&anna, at(10)).unwrap(), Some(first.clone()));
    assert_eq!(put(&store, &anna, "two", None), DraftWritten::Other(Some(first.clone())), "somebody was faster");
    let json =
        NewDraft { form: DraftForm::Json, based_on: None, by: "anna, elsewhere".into(), ..new("{\"rule\": []}") };
    let second = done(store.put_draft(&anna, &json, Some(first.number), at(20)).unwrap());
    assert!(second.number > first.number);
    assert_eq!((second.made, second.changed, second.based_on), (at(10), at(20), None));
    assert_eq!(home.open().draft(&anna, at(20)).unwrap(), Some(second.clone()), "also after a restart");
    assert_eq!(put(&store, &anna, "three", Some(first.number)), DraftWritten::Other(Some(second.clone())));
    // Another person, and another policy, have their own.
    let others = [key("berta", "group/campus"), key("anna", "camera/campus-1")];
    let numbers = others.each_ref().map(|key| done(put(&store, key, "other", None)).number);
    assert!(numbers[0] > second.number && numbers[1] > numbers[0], "{numbers:?}");
    store.rebase_draft(&anna, second.number, at(30)).unwrap();
    store.rebase_draft(&anna, first.number, at(40)).unwrap();
    let rebased = StoredDraft { based_on: Some(at(30)), ..second.clone() };
    assert_eq!(store.draft(&anna, at(20)).unwrap(), Some(rebased.clone()), "its number and text stay");
    assert_eq!(store.remove_draft(&anna, first.number).unwrap(), DraftWritten::Other(Some(rebased)));
    assert_eq!(store.remove_draft(&anna, second.number).unwrap(), DraftWritten::Done(()));
    assert_eq!(store.remove_draft(&anna, second.number).unwrap(), DraftWritten::Other(None));
    let again = done(put(&store, &anna, "four", None));
    assert!(again.number > numbers[1], "no number is used twice");
    assert_eq!(home.rows("draft"), 3);
}

fn of_two_writers_one_is_told_of_the_other(home: &Home) {
    let store = home.open();
    let anna = key("anna", "group/campus");
    let mut seen = None;
    for round in 0..10 {
        let texts = [format!("left {round}"), format!("right {round}")];
        let written: Vec<_> = std::thread::scope(|scope| {
            let writers = texts.each_ref().map(|text| scope.spawn(|| put(&store, &anna, text, seen)));
            writers.map(|writer| writer.join().unwrap()).to_vec()
        });
        let stored: Vec<_> = written.iter().filter(|it| matches!(it, DraftWritten::Done(_))).collect();
        let [DraftWritten::Done(winner)] = stored[..] else { panic!("{written:?}") };
        assert!(written.contains(&DraftWritten::Other(Some(winner.clone()))), "{written:?}");
        seen = Some(winner.number);
    }
}

fn drafts_are_few_and_are_dropped_when_nobody_uses_them(home: &Home) {
    let store = home.open();
    let day = |day: i64| at(day * 86_400);
    for number in 0..64 {
        store.put_draft(&key("anna", &format!("group/{number}")), &new("x"), None, day(0)).unwrap();
    }
    let more = store.put_draft(&key("anna", "group/64"), &new("x"), None, day(29));
    assert!(matches!(more, Err(StoreError::TooManyDrafts { most: 64 })), "{more:?}");
    done(store.put_draft(&key("berta", "group/64"), &new("x"), None, day(29)).unwrap());
    // Reading it is a use.
    let read = key("anna", "group/7");
    assert_eq!(store.draft(&read, day(29)).unwrap().unwrap().used, day(0));
    assert_eq!(store.draft(&read, day(29)).unwrap().unwrap().used, day(29));
    assert_eq!(store.draft(&key("anna", "group/8"), day(0) + DRAFTS_KEPT).unwrap(), None);
    assert_eq!(store.drop_unused_drafts(day(0) + DRAFTS_KEPT - Span::from_micros(1)).unwrap(), 0);
    assert_eq!(store.drop_unused_drafts(day(0) + DRAFTS_KEPT).unwrap(), 63);
    assert_eq!(home.rows("draft"), 2);
    done(store.put_draft(&key("anna", "group/64"), &new("x"), None, day(30)).unwrap());
}

fn the_drafts_of_an_account_go_with_it(home: &Home) {
    let store = home.open();
    for of in ["root", "anna"] {
        store.add_account(&account(of, "administrator"), None).unwrap();
        put(&store, &key(of, "group/campus"), "mine", None);
    }
    store.remove_account(&name("anna"), None).unwrap();
    assert_eq!(store.draft(&key("anna", "group/campus"), at(10)).unwrap(), None);
    assert!(store.draft(&key("root", "group/campus"), at(10)).unwrap().is_some());
}

fn of_rule(alert: Alert, rule: &str) -> Alert {
    Alert { rule: RuleId::new(rule).unwrap(), ..alert }
}

fn alerts_are_listed_by_rule(home: &Home) {
    let store = home.open();
    let alerts: Vec<Alert> =
        (0..4).map(|number| of_rule(seen("gate-1", number * 1_000, 0.0), ["a", "b"][number as usize % 2])).collect();
    for alert in &alerts {
        store.upsert(alert, None).unwrap();
    }
    store.set_camera_groups(&alerts[0].camera, &["east".to_owned()].into()).unwrap();
    for each in [false, true] {
        let of = |rule: &str| AlertFilter { each, rule: RuleId::new(rule).ok(), ..AlertFilter::default() };
        assert_eq!(ids(&store, &of("a")), [alerts[2].id, alerts[0].id]);
        assert_eq!(ids(&store, &of("c")), []);
        let inside = Areas::Only(["group:east".parse().unwrap()].into());
        assert_eq!(store.list(&of("b"), &inside).unwrap().alerts.len(), 2);
        let outside = Areas::Only(["group:west".parse().unwrap()].into());
        assert_eq!(store.list(&of("b"), &outside).unwrap().alerts.len(), 0);
    }
    // A new revision may be of another rule.
    let renamed = of_rule(Alert { revision: alerts[0].revision + 1, ..alerts[0].clone() }, "b");
    store.upsert(&renamed, None).unwrap();
    let of = AlertFilter { rule: RuleId::new("a").ok(), ..AlertFilter::default() };
    assert_eq!(ids(&store, &of), [alerts[2].id]);
}

fn a_store_of_before_there_were_drafts_is_taken_over(home: &Home) {
    let old = [of_rule(alert("gate-1", 0, Raised), "a"), alert("gate-1", 9, Ended), alert("gate-1", 50, Raised)];
    let store = home.open();
    for alert in &old {
        store.upsert(alert, None).unwrap();
    }
    drop(store);
    home.before_drafts();
    home.sql(&format!("UPDATE alert SET payload = '{{' WHERE id = '{}'", old[2].id));
    let store = home.open();
    let of = |rule: &str| AlertFilter { rule: RuleId::new(rule).ok(), ..AlertFilter::default() };
    assert_eq!(ids(&store, &of("a")), [old[0].id]);
    assert_eq!(ids(&store, &of(old[1].rule.as_str())), [old[1].id], "one that cannot be read has no rule");
    done(put(&store, &key("anna", "group/campus"), "one", None));
    drop(store);
    assert!(home.open().draft(&key("anna", "group/campus"), at(10)).unwrap().is_some());
}

on_both! {
    a_draft_is_written_against_the_version_that_was_seen,
    of_two_writers_one_is_told_of_the_other,
    drafts_are_few_and_are_dropped_when_nobody_uses_them,
    the_drafts_of_an_account_go_with_it,
    alerts_are_listed_by_rule,
    a_store_of_before_there_were_drafts_is_taken_over,
}
