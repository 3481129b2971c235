//! The site of unit tests: the demo's cameras and policies.

use vedette_core::{Camera, Policy};
use vedette_rules::RuleSet;

pub(crate) fn cameras() -> Vec<Camera> {
    entries("camera")
}

pub(crate) fn policies() -> Vec<Policy> {
    entries("policy").into_iter().map(RuleSet::complete).collect()
}

fn entries<T: serde::de::DeserializeOwned>(list: &str) -> Vec<T> {
    let name = if list == "camera" { "cameras.toml" } else { "policies.toml" };
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo").join(name);
    let table: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    table[list].clone().try_into().unwrap()
}
