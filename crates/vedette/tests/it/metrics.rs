//! Each metric is defined once, in the file `metrics.rs` of the crate that emits it, and docs/METRICS.md has a row for each. After
//! a change: `VEDETTE_BLESS=1 cargo test-all --test it metrics::`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vedette::telemetry::METRICS;
use vedette_core::Timestamp;
use vedette_metrics::{Definition, Kind, Unit};
use vedette_runtime::health::{Condition, Health};
use vedette_stages::LatencyBook;

use crate::product;

const MARK: &str = "<!-- The rest is made from crates/*/src/metrics.rs. -->\n";

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn definitions() -> impl Iterator<Item = &'static Definition> {
    METRICS.into_iter().flat_map(|(_, definitions)| definitions).copied()
}

/// The folders of the crates.
fn folders() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("Cargo.toml").exists()).collect()
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_page_of_the_metrics_is_made_from_the_definitions() {
    let path = crates().join("../docs/METRICS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(MARK).unwrap();
    let mut made = format!("{head}{MARK}");
    for (name, definitions) in METRICS {
        made += &format!("\n## {name}\n\n| name | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n");
        made.extend(definitions.iter().map(|definition| definition.markdown()));
    }
    if std::env::var_os("VEDETTE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(
        page == made || std::env::var_os("VEDETTE_BLESS").is_some(),
        "bless docs/METRICS.md: see the head of this test"
    );
}

#[test]
fn a_metric_has_its_own_name_and_says_what_it_measures() {
    let mut names = BTreeSet::new();
    for definition in definitions() {
        let Definition { name, kind, unit, help, labels } = definition;
        assert!(names.insert(name), "two metrics are called {name}");
        assert!(name.starts_with("vedette_"), "{name}");
        assert!(help.ends_with('.') && !help.contains(['\n', '|', '"']), "{name}: {help}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
        let words: BTreeSet<_> = labels.iter().collect();
        assert_eq!(words.len(), labels.len(), "{name}: {labels:?}");
    }
    assert!(names.len() > 100, "only {} metrics", names.len());
}

/// A crate with a `metrics.rs` is in the list, so its metrics are described, and each is emitted somewhere in the crate.
#[test]
fn what_is_defined_is_described_and_emitted() {
    let listed: BTreeSet<&str> = METRICS.into_iter().map(|(name, _)| name).collect();
    for folder in folders() {
        let Ok(definitions) = std::fs::read_to_string(folder.join("src/metrics.rs")) else { continue };
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(listed.contains(name), "the metrics of {name} are not in telemetry::METRICS");
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for line in definitions.lines() {
            let Some((constant, _)) = line.trim().split_once(": ").filter(|(_, rest)| rest.contains("\"vedette_"))
            else {
                continue;
            };
            let used = format!("metrics::{constant}");
            let ends = |rest: &str| rest.starts_with(|next: char| !next.is_alphanumeric() && next != '_');
            let is_used = |text: &str| text.split(&used).skip(1).any(ends);
            assert!(files.iter().any(|(_, text)| is_used(text)), "{name} never emits {constant}");
        }
    }
}

/// Only `vedette-metrics` depends on the crate whose macros name a metric freely.
#[test]
fn no_metric_is_emitted_without_its_definition() {
    let mut files = Vec::new();
    for folder in folders() {
        if folder.ends_with("metrics") {
            continue;
        }
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        // Tests may read what is emitted.
        let product = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        let depends = product.lines().any(|line| line.split(['.', ' ', '=']).next() == Some("metrics"));
        assert!(!depends, "{} depends on `metrics`: define in its metrics.rs what it emits", folder.display());
        sources(&folder.join("src"), &mut files);
    }
    assert!(files.len() > 400, "only {} files were read", files.len());
    for (path, text) in files {
        for call in ["counter!(", "gauge!(", "histogram!("] {
            assert!(!text.contains(call), "{} calls {call}...): define the metric in metrics.rs", path.display());
        }
    }
}

#[test]
fn the_recorder_knows_every_metric() {
    let handle = product::metrics();
    Health::default().set("test", Condition::Running, "");
    LatencyBook::default().note(Timestamp::default(), None, Timestamp::from_micros(20_000));
    let text = handle.render();
    let (up, latency) = ("vedette_stage_up", "vedette_alert_latency_seconds");
    for name in [up, latency] {
        let help = definitions().find(|definition| definition.name == name).unwrap().help;
        assert!(text.contains(&format!("# HELP {name} {help}\n")), "{text}");
    }
    assert!(text.contains(&format!("{up}{{stage=\"test\"}} 1\n")), "{text}");
    assert!(text.contains(&format!("{latency}_bucket{{le=\"0.01\"}} ")), "{text}");
    assert!(text.contains(&format!("{latency}_bucket{{le=\"0.05\"}} ")), "{text}");
}
