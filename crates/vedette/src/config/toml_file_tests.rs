#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Outer {
    port: u16,
    inner: Inner,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    wait: vedette_core::Span,
    list: Vec<u8>,
}

fn said<T: DeserializeOwned>(text: &str) -> Vec<String> {
    let parsed = parse("f", text);
    assert_eq!(parsed.mistakes, []);
    read::<T>("f", "", Value::Table(parsed.table)).mistakes.into_iter().map(|m| format!("{m}")).collect()
}

#[test]
fn every_mistake_is_found_in_one_reading() {
    let found =
        said::<Outer>("port = 70000\nprot = 1\n[inner]\nwait = \"5\"\nwaait = 1\nlist = [1, \"x\", 3, \"y\"]\n");
    let all = found.join("\n");
    assert_eq!(found.len(), 6, "{all}");
    for expected in [
        "f: port = 70000",
        "f: prot",
        "inner.wait = \"5\"",
        "with its unit",
        "inner.waait",
        "inner.list[1]",
        "inner.list[3]",
    ] {
        assert!(all.contains(expected), "{expected} in\n{all}");
    }
}

#[test]
fn a_good_file_reads() {
    assert!(said::<Outer>("port = 80\n[inner]\nwait = \"5s\"\n").is_empty());
}

#[test]
fn each_line_that_is_no_toml_is_said() {
    let lines: Vec<_> = parse("f", "a = \nb = 1\nc = = 2\n").mistakes.into_iter().map(|m| m.error.path).collect();
    assert_eq!(lines, ["line 1", "line 3"]);
}

#[test]
fn several_missing_fields_of_an_entry_are_several_mistakes() {
    let found = said::<vedette_core::Camera>("groups = [\"a\"]\nenabled = 3\n");
    let paths: Vec<_> = found.iter().map(|m| m.lines().next().unwrap()).collect();
    assert_eq!(paths, ["f: enabled = 3", "f: id", "f: name", "f: purpose", "f: position"]);
}

#[test]
fn a_wrong_value_that_has_no_default_is_one_mistake() {
    let found = said::<vedette_core::Camera>(
        "id = \"a b\"\nname = 5\npurpose = \"p\"\nposition = { latitude = 22.5, longitude = \"x\" }\n",
    );
    let paths: Vec<_> = found.iter().map(|m| m.lines().next().unwrap()).collect();
    assert_eq!(paths, ["f: id = \"a b\"", "f: name = 5", "f: position.longitude = \"x\""]);
}

#[test]
fn mistakes_within_a_kind_are_found_at_their_place() {
    let found = said::<vedette_core::Camera>(
        "id = \"a\"\nname = \"n\"\npurpose = \"p\"\nposition = { latitude = 22.5, longitude = 113.9 }\n\
         source = { kind = \"file\", looped = 1, offset = \"5\", paht = \"a.mp4\" }\n",
    );
    let paths: Vec<_> = found.iter().map(|m| m.lines().next().unwrap()).collect();
    for expected in ["f: source.looped = 1", "f: source.offset = \"5\"", "f: source.paht"] {
        assert!(paths.contains(&expected), "{expected} in {paths:?}");
    }
    assert_eq!(paths.len(), 3, "the misspelt path is not missing, too: {paths:?}");
}

#[test]
fn mistakes_of_several_rules_are_found_and_carry_their_names() {
    let found = said::<vedette_core::Policy>(
        "applies_to = { camera = \"gate\" }\nversion = 1\nframe = { width = 640 }\n\
         [[rule]]\nid = \"loiter\"\npurpose = \"p\"\nseverity = \"huge\"\nwhen = { kind = \"dwell\", zone = [[0, 0], [9, 0], [9, 9]] }\n\
         [[rule]]\nid = \"line\"\nname = \"n\"\npurpose = \"p\"\nwhen = { a = [0, 1], b = [5, 1] }\n",
    );
    let paths: Vec<_> = found.iter().map(|m| m.lines().next().unwrap()).collect();
    for expected in [
        "f: frame.height",
        "f: rule[0] (loiter).name",
        "f: rule[0] (loiter).severity = \"huge\"",
        "f: rule[1] (line).when.kind",
    ] {
        assert!(paths.contains(&expected), "{expected} in {paths:?}");
    }
    assert_eq!(paths.len(), 4, "{paths:?}");
}
