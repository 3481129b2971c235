//! Cameras and policies as the files of a site hold them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vedette_core::{Camera, Policy};
use vedette_rules::RuleSet;

#[derive(Deserialize)]
struct Cameras {
    camera: Vec<Camera>,
}

#[derive(Deserialize)]
struct Policies {
    policy: Vec<Policy>,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn cameras(path: &Path) -> Vec<Camera> {
    read::<Cameras>(path).camera
}

pub(crate) fn policies(path: &Path) -> Vec<Policy> {
    read::<Policies>(path).policy.into_iter().map(RuleSet::complete).collect()
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
