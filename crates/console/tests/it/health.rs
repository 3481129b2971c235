//! Stages that say what a test wants, or nothing.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use vedette_console::{HealthReport, HealthSource, StageCondition, StageReport};

#[derive(Default)]
pub(crate) struct Stages {
    said: Mutex<Said>,
    heard: Condvar,
}

#[derive(Default)]
struct Said {
    stages: BTreeMap<String, StageReport>,
    silent: bool,
}

impl Stages {
    pub(crate) fn set(&self, stage: &str, condition: &str, detail: &str) {
        let (condition, detail) = (serde_json::from_value(condition.into()).unwrap(), detail.to_owned());
        let report = StageReport { condition, detail, since: "2026-03-01T08:00:00Z".into() };
        self.said.lock().unwrap().stages.insert(stage.to_owned(), report);
    }

    /// Whether asking waits until this is taken back, as in a process that hangs; a minute at most.
    pub(crate) fn silent(&self, silent: bool) {
        self.said.lock().unwrap().silent = silent;
        self.heard.notify_all();
    }
}

impl HealthSource for Stages {
    fn health(&self) -> HealthReport {
        let mut said = self.said.lock().unwrap();
        if said.silent {
            // The rest of the test goes on.
            let wait = || self.heard.wait_timeout_while(said, Duration::from_secs(60), |said| said.silent);
            said = tokio::task::block_in_place(wait).unwrap().0;
        }
        let ready =
            said.stages.values().all(|it| matches!(it.condition, StageCondition::Running | StageCondition::Degraded));
        HealthReport { ready, stages: said.stages.clone() }
    }
}

/// Files of a store, as they were before they were broken.
pub(crate) struct Kept(Vec<(PathBuf, Vec<u8>)>);

impl Kept {
    /// Writes over the files of the store in a folder, as a bad disk does.
    pub(crate) fn and_break(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let kept: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        for (path, content) in &kept {
            write_over(path, &vec![0x5a; content.len()]);
        }
        Self(kept)
    }

    pub(crate) fn restore(&self) {
        self.0.iter().for_each(|(path, content)| write_over(path, content));
    }
}

/// In place, since the store has the file open.
fn write_over(path: &Path, content: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all(content).unwrap();
}
