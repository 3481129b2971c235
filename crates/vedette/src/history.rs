//! The versions of cameras and policies as a file of JSON lines: what `vedette export` writes beside detections, and `vedette replay`
//! needs to analyse each frame with what was in force.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use vedette_core::{
    Authorship, Camera, CameraId, CameraVersion, LateChange, Policy, PolicyScope, PolicyVersion, Timestamp,
};
use vedette_stages::registry::Registry;

/// A version. Without content, the camera or policy is removed from then on.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Camera {
        of: CameraId,
        effective_from: Timestamp,
        content: Option<Box<Camera>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<Authorship>,
    },
    Policy {
        of: PolicyScope,
        effective_from: Timestamp,
        content: Option<Policy>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<Authorship>,
        /// The cameras of the scope on which it is in force; all if empty.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        only: BTreeSet<CameraId>,
    },
    /// A change that a worker learnt of too late.
    Late(LateChange),
}

/// Writes all versions; returns their number.
pub(crate) fn write(path: &Path, registry: &Registry) -> anyhow::Result<usize> {
    let lines = lines(registry);
    std::fs::write(path, &lines).with_context(|| format!("writing {}", path.display()))?;
    Ok(lines.iter().filter(|byte| **byte == b'\n').count())
}

/// A line for each version.
pub(crate) fn lines(registry: &Registry) -> Vec<u8> {
    let mut out = Vec::new();
    let (cameras, policies, late) = registry.history();
    let cameras = cameras.into_iter().map(|CameraVersion { of, effective_from, content, made, .. }| Line::Camera {
        of,
        effective_from,
        content: content.map(Box::new),
        made,
    });
    let policies = policies.into_iter().map(|PolicyVersion { of, effective_from, content, made, only }| Line::Policy {
        of,
        effective_from,
        content,
        made,
        only,
    });
    for line in cameras.chain(policies).chain(late.into_iter().map(Line::Late)) {
        serde_json::to_writer(&mut out, &line)
            .expect("a version is JSON: it came from there, and memory takes all bytes");
        out.push(b'\n');
    }
    out
}

/// A registry of the versions in a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Registry> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let (mut cameras, mut policies, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.with_context(|| format!("reading {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str(&line);
        let how = "it is not a line of `vedette export --history`";
        match read.with_context(|| format!("{}:{number}: {how}", path.display()))? {
            Line::Camera { of, effective_from, content, made } => {
                let content = content.map(|camera| *camera);
                cameras.push(CameraVersion { of, effective_from, content, made, only: BTreeSet::new() });
            }
            Line::Policy { of, effective_from, content, made, only } => {
                policies.push(PolicyVersion { of, effective_from, content, made, only });
            }
            Line::Late(span) => late.push(span),
        }
    }
    Ok(Registry::of_history(cameras, policies, late))
}
