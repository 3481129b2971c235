//! docs/RULES.md has a section for each kind, made from the kind's file. After a change: `VEDETTE_BLESS=1 cargo test -p
//! vedette-rules --test it docs::`.

use std::path::Path;

use vedette_rules::{RuleSet, rule_kinds};

const MARK: &str = "<!-- The rest is made from crates/rules/src/kinds. -->\n";

#[test]
fn the_page_of_the_rules_is_made_from_the_kinds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RULES.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(MARK).unwrap();
    let sections: Vec<String> = rule_kinds().map(|kind| kind.markdown()).collect();
    let made = format!("{head}{MARK}\n{}", sections.join("\n"));
    if std::env::var_os("VEDETTE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(
        page == made || std::env::var_os("VEDETTE_BLESS").is_some(),
        "bless docs/RULES.md: see the head of this test"
    );
}

#[test]
fn a_kind_has_its_own_name_its_words_and_limits_that_hold_its_defaults() {
    let mut names = std::collections::BTreeSet::new();
    for kind in rule_kinds() {
        let name = kind.info.name;
        assert!(names.insert(name), "two kinds are called {name}");
        assert!(!kind.doc.is_empty() && !kind.info.measures.is_empty(), "{name}");
        for text in [kind.info.title, kind.info.sentence] {
            assert!(!text.en.is_empty() && !text.zh.is_ascii(), "{name}: {text:?}");
        }
        for param in &kind.params {
            assert!(param.doc.ends_with('.'), "{name}.{}: {}", param.name, param.doc);
        }
        let schema = kind.schema();
        assert_eq!(schema["properties"]["kind"]["const"], name.as_str());
        assert_eq!(schema["properties"].as_object().unwrap().len(), kind.params.len() + 1);
    }
}

/// What the policy leaves out is filled in once, so that a later version of the program with other defaults changes no rule.
#[test]
fn a_completed_policy_has_every_parameter_and_stays_as_it_is() {
    let policy = serde_json::json!({
        "applies_to": {"camera": "c"}, "version": 1, "frame": {"width": 100, "height": 100},
        "rule": [
            {"id": "a", "name": "a", "purpose": "test", "when": {"kind": "stopped", "zone": [[0, 0], [9.5, 0], [0, 9]], "duration": "60s"}},
            {"id": "b", "name": "b", "purpose": "test", "when": {"kind": "stopped", "zone": 7}},
        ],
    });
    let complete = RuleSet::complete(serde_json::from_value(policy).unwrap());
    let given = serde_json::to_value(&complete.rules[0].condition).unwrap();
    let zone = serde_json::json!([[0, 0], [9.5, 0], [0, 9]]);
    assert_eq!(given, serde_json::json!({"kind": "stopped", "zone": zone, "duration": "1m", "reach": 0.3}));
    assert_eq!(complete.rules[1].condition.params.iter().count(), 1, "a rule with mistakes stays as it is");
    assert_eq!(RuleSet::complete(complete.clone()), complete);
}
