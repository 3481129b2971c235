#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::Cursor;

use tempfile::TempDir;
use vedette_address::{BaseBuilder, BuilderOptions, DeltaHead, SourceCrs};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// One grid, another for each number.
fn build(builder: BaseBuilder, number: u32) -> Vec<u8> {
    let rows = format!(
        "GRIDCODE,WORKCODE,province,city,district,street,community,source,wkt\n\
         440305002003{number:02},W,省,市,区,街,社区,synthetic,\
         \"POLYGON((113.9 22.5,113.91 22.5,113.91 22.51,113.9 22.51,113.9 22.5))\"\n"
    );
    let mut builder = builder;
    builder.add_csv(Cursor::new(rows), "grids", &SourceCrs::wgs84()).unwrap();
    builder.finish().unwrap().0
}

/// The bytes of a base, and its version.
fn bytes(number: u32) -> (Vec<u8>, String) {
    let bytes = build(BaseBuilder::new(BuilderOptions::default()), number);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("base");
    std::fs::write(&path, &bytes).unwrap();
    let version = AddressBase::open(&path).unwrap().version().to_owned();
    (bytes, version)
}

fn base(number: u32) -> AddressBase {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("base");
    std::fs::write(&path, bytes(number).0).unwrap();
    AddressBase::open(&path).unwrap()
}

/// A book on base 0, and its directory, which holds bases 1 and 2.
fn book() -> (TempDir, AddressBook) {
    let directory = TempDir::new().unwrap();
    for number in [1, 2] {
        std::fs::write(directory.path().join(format!("{number}.base")), bytes(number).0).unwrap();
    }
    let book = AddressBook::new(Some(Arc::new(base(0))), directory.path(), at(0));
    (directory, book)
}

fn file(number: u32, effective_from: Timestamp) -> AddressBaseChange {
    let base = NewBase::File { version: bytes(number).1, name: format!("{number}.base") };
    AddressBaseChange { effective_from, base }
}

/// A delta of base `from` that adds a grid.
fn delta(from: u32, number: u32, effective_from: Timestamp) -> AddressBaseChange {
    let content = build(BaseBuilder::new(BuilderOptions::default()).delta_of(base(from)), number);
    let DeltaHead { from_version, to_version, .. } = DeltaHead::read(&content).unwrap();
    AddressBaseChange { effective_from, base: NewBase::Delta { from_version, to_version, content: content.into() } }
}

fn version(book: &AddressBook, captured: Timestamp) -> String {
    book.at(captured).unwrap().version().to_owned()
}

#[test]
fn a_base_serves_what_is_captured_from_its_moment_on() {
    let (_directory, book) = book();
    // The later one is announced first.
    book.take(&file(2, at(200)), at(50)).unwrap();
    book.take(&file(1, at(100)), at(51)).unwrap();
    let served = |second| version(&book, at(second));
    assert_eq!([0, 99, 100, 199, 200].map(served), [0, 0, 1, 1, 2].map(|number| bytes(number).1));

    let report = book.report(at(150));
    assert_eq!(report.current.unwrap().version, bytes(1).1);
    assert_eq!((report.scheduled.len(), report.history.len()), (1, 1));
    assert_eq!((report.history[0].from, report.history[0].until), (None, Some(at(100))));
    assert_eq!((report.last_refusal, report.standing), (None, None));
}

#[test]
fn a_delta_changes_the_base_that_it_names_and_no_other() {
    let (_directory, book) = book();
    let change = delta(1, 3, at(100));
    assert_eq!(book.take(&change, at(0)).unwrap_err().reason(), "unknown_base");
    book.take(&file(1, at(50)), at(0)).unwrap();
    book.take(&change, at(0)).unwrap();
    assert_eq!(version(&book, at(100)), change.version());
    // What says another version than it makes, what is cut, what was made for another base.
    let (one, other) = (bytes(1).1, bytes(2).1);
    let NewBase::Delta { content, .. } = change.base.clone() else { unreachable!() };
    let NewBase::Delta { content: foreign, .. } = delta(2, 3, at(0)).base else { unreachable!() };
    for (to_version, content) in [(&other, content.clone()), (&other, content.slice(..10)), (&other, foreign)] {
        let base = NewBase::Delta { from_version: one.clone(), to_version: to_version.clone(), content };
        let error = book.take(&AddressBaseChange { effective_from: at(150), base }, at(0)).unwrap_err();
        assert_eq!(error.reason(), "delta", "{error}");
        assert_eq!(version(&book, at(160)), change.version());
    }
}

#[test]
fn what_cannot_be_used_is_refused_whole_and_says_why() {
    let (directory, book) = book();
    let path = directory.path().join("1.base");
    let mut altered = bytes(1).0;
    let half = altered.len() / 2;
    altered[half..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    for (content, reason, words) in [
        (None, "missing_file", "site.address_bases"),
        (Some(altered), "unusable_file", "1.base"),
        (Some(bytes(1).0[..20].to_vec()), "unusable_file", "1.base"),
        (Some(bytes(2).0), "wrong_version", "is announced"),
    ] {
        std::fs::remove_file(&path).unwrap();
        if let Some(content) = &content {
            std::fs::write(&path, content).unwrap();
        }
        let error = book.take(&file(1, at(10)), at(5)).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(version(&book, at(1000)), bytes(0).1);
        let report = book.report(at(20));
        assert_eq!(report.standing.as_ref().map(|refusal| refusal.reason), Some(reason));
        assert_eq!(report.last_refusal, report.standing);
        std::fs::write(&path, bytes(1).0).unwrap();
    }
    // A good one for a later moment: nothing stands in the way any more, but what happened is still told.
    book.take(&file(2, at(30)), at(31)).unwrap();
    let report = book.report(at(40));
    assert_eq!((report.standing, report.last_refusal.unwrap().reason), (None, "wrong_version"));
    // The file is right by now.
    assert!(book.waiting().is_empty(), "a wrong file is not tried again by itself");
    book.take(&file(1, at(10)), at(41)).unwrap();
    assert_eq!(version(&book, at(29)), bytes(1).1);
}

#[test]
fn what_waits_for_a_file_is_taken_once_the_file_is_there() {
    let (directory, book) = book();
    let missing = file(3, at(10));
    assert!(book.take(&missing, at(5)).is_err());
    let on_it = delta(3, 4, at(20));
    assert!(book.take(&on_it, at(5)).is_err());
    assert_eq!(book.waiting().len(), 2);
    std::fs::write(directory.path().join("3.base"), bytes(3).0).unwrap();
    for change in book.waiting() {
        book.take(&change, at(6)).unwrap();
    }
    assert_eq!((version(&book, at(15)), version(&book, at(25))), (bytes(3).1, on_it.version().to_owned()));
    assert!(book.waiting().is_empty() && book.report(at(30)).standing.is_none());
}

#[test]
fn what_is_over_is_let_go_and_what_was_called_off_is_told() {
    let (_directory, book) = book();
    book.take(&file(1, at(100)), at(0)).unwrap();
    book.take(&file(2, at(200)), at(0)).unwrap();
    book.forget_before(at(150));
    assert!(book.at(at(99)).is_none());
    assert_eq!(version(&book, at(150)), bytes(1).1);
    assert!(book.withdraw(at(200), at(250)) && !book.withdraw(at(200), at(250)));
    assert_eq!(version(&book, at(300)), bytes(1).1);
    let history: Vec<String> = book.report(at(300)).history.into_iter().map(|served| served.version).collect();
    assert_eq!(history, [bytes(2).1, bytes(0).1]);
    // Back to an earlier one: it is at hand, so its file is not needed.
    let known = NewBase::File { version: bytes(1).1, name: "gone.base".into() };
    book.take(&AddressBaseChange { effective_from: at(400), base: known }, at(0)).unwrap();
    assert_eq!(version(&book, at(400)), bytes(1).1);
}

#[test]
fn asking_goes_on_while_bases_change() {
    let (_directory, book) = book();
    let first = bytes(0).1;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            for asked in 0..20_000 {
                assert!(book.at(at(asked % 300)).is_some());
                assert_eq!(book.at(at(-1)).unwrap().version(), first);
            }
        });
        for round in 0.. {
            book.take(&file(1 + round % 2, at(100)), at(0)).unwrap();
            book.withdraw(at(100), at(0));
            if asking.is_finished() {
                break;
            }
        }
        asking.join().unwrap();
    });
}
