//! The versions of cameras and policies as a file of JSON lines: what `vedette export` writes beside detections, and `vedette replay`
//! needs to analyse each frame with what was in force.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use vedette_core::{Camera, CameraId, CameraVersion, Policy, PolicyScope, PolicyVersion, Timestamp};
use vedette_stages::registry::Registry;

/// A version. Without content, the camera or policy is removed from then on.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Camera { of: CameraId, effective_from: Timestamp, content: Option<Camera> },
    Policy { of: PolicyScope, effective_from: Timestamp, content: Option<Policy> },
}

/// Writes all versions; returns their number.
pub(crate) fn write(path: &Path, registry: &Registry) -> anyhow::Result<usize> {
    let mut out = BufWriter::new(File::create(path).with_context(|| format!("creating {}", path.display()))?);
    let (cameras, policies) = registry.history();
    let cameras = cameras.into_iter().map(|CameraVersion { of, effective_from, content }| Line::Camera {
        of,
        effective_from,
        content,
    });
    let policies = policies.into_iter().map(|PolicyVersion { of, effective_from, content }| Line::Policy {
        of,
        effective_from,
        content,
    });
    let mut written = 0;
    for line in cameras.chain(policies) {
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out).with_context(|| format!("writing {}", path.display()))?;
        written += 1;
    }
    out.flush().with_context(|| format!("writing {}", path.display()))?;
    Ok(written)
}

/// A registry of the versions in a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Registry> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let (mut cameras, mut policies) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.with_context(|| format!("reading {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str(&line);
        let how = "it is not a line of `vedette export --history`";
        match read.with_context(|| format!("{}:{number}: {how}", path.display()))? {
            Line::Camera { of, effective_from, content } => {
                cameras.push(CameraVersion { of, effective_from, content });
            }
            Line::Policy { of, effective_from, content } => {
                policies.push(PolicyVersion { of, effective_from, content });
            }
        }
    }
    Ok(Registry::of_history(cameras, policies))
}
