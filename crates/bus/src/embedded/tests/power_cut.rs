//! The power fails at any write or sync, after disk faults; unsynced data is then complete, torn, zeroed or missing. In every
//! case the log opens, all acknowledged records are in it, in order, and no record that was never sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use proptest::prelude::*;

use super::super::disk::{Disk, FileSystem};
use super::super::{EmbeddedBus, EmbeddedSettings};
use super::{FOR_EVER, TOPIC, runtime, spec};
use crate::{Bus, Record, Retention};

/// Number of keys; small, so that compaction has work.
const KEYS: u64 = 5;

/// A disk in a directory, whose power fails at the `cut_in`-th write or sync. Its content is then copied to another directory.
struct Failing {
    dir: PathBuf,
    rest: PathBuf,
    fault: f64,
    state: Mutex<FailingState>,
}

struct FailingState {
    rng: fastrand::Rng,
    cut_in: u64,
    is_cut: bool,
    /// Bytes written since the last sync, by inode.
    unsynced: BTreeMap<u64, Vec<(u64, u64)>>,
}

impl Failing {
    fn new(dir: &Path, rest: &Path, seed: u64, fault: f64, cut_in: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let state = FailingState { rng, cut_in, is_cut: false, unsynced: BTreeMap::new() };
        Self { dir: dir.to_owned(), rest: rest.to_owned(), fault, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, FailingState> {
        self.state.lock().unwrap()
    }

    fn is_cut(&self) -> bool {
        self.state().is_cut
    }

    /// Cuts the power, if it has not failed yet.
    fn cut(&self) {
        let mut state = self.state();
        if !state.is_cut {
            state.cut(&self.dir, &self.rest);
        }
    }

    /// Counts an operation. If it is to fail: whether because the power fails now.
    fn next(&self, state: &mut FailingState) -> Result<(), bool> {
        if state.is_cut {
            return Err(false);
        }
        state.cut_in -= 1;
        if state.cut_in == 0 {
            return Err(true);
        }
        if state.rng.f64() < self.fault { Err(false) } else { Ok(()) }
    }
}

impl Disk for Failing {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.is_cut {
            return Err(io::Error::other("the power is gone"));
        }
        let outcome = self.next(&mut state);
        let written = if outcome.is_ok() { bytes.len() } else { state.rng.usize(0..=bytes.len()) };
        FileSystem.write(file, &bytes[..written], at)?;
        let inode = file.metadata()?.ino();
        state.unsynced.entry(inode).or_default().push((at, written as u64));
        match outcome {
            Ok(()) => Ok(()),
            Err(now) => {
                if now {
                    state.cut(&self.dir, &self.rest);
                }
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.state();
        match self.next(&mut state) {
            Ok(()) => {
                FileSystem.sync(file)?;
                let inode = file.metadata()?.ino();
                state.unsynced.remove(&inode);
                Ok(())
            }
            Err(now) => {
                if now {
                    state.cut(&self.dir, &self.rest);
                }
                Err(io::Error::other("the disk does not answer"))
            }
        }
    }
}

impl FailingState {
    fn cut(&mut self, dir: &Path, rest: &Path) {
        self.is_cut = true;
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            fs::create_dir_all(rest.join(&folder)).unwrap();
            let entries = fs::read_dir(dir.join(&folder)).unwrap().map(|entry| entry.unwrap().file_name());
            for name in entries.collect::<BTreeSet<_>>() {
                let path = folder.join(name);
                if dir.join(&path).is_dir() {
                    folders.push(path);
                } else {
                    self.copy(&dir.join(&path), &rest.join(&path));
                }
            }
        }
    }

    /// Copies a file as it may be found after the power cut.
    fn copy(&mut self, from: &Path, to: &Path) {
        fs::copy(from, to).unwrap();
        let file = OpenOptions::new().write(true).open(to).unwrap();
        if to.extension().is_some_and(|extension| extension == "idx") {
            // Never synced.
            let len = fs::metadata(to).unwrap().len();
            file.set_len(if self.rng.bool() { len } else { self.rng.u64(0..=len) }).unwrap();
            return;
        }
        let inode = fs::metadata(from).unwrap().ino();
        for (at, len) in self.unsynced.remove(&inode).unwrap_or_default() {
            // A later failure may have cut it off already.
            let len = len.min(file.metadata().unwrap().len().saturating_sub(at));
            if len == 0 {
                continue;
            }
            let begin = at + self.rng.u64(0..len);
            match self.rng.u8(0..4) {
                // Everything was written after all.
                0 => {}
                1 => file.set_len(begin).unwrap(),
                2 => file.set_len(at).unwrap(),
                // The length was written, but not all pages.
                _ => {
                    let end = begin + self.rng.u64(1..=at + len - begin);
                    file.write_all_at(&vec![0; (end - begin) as usize], begin).unwrap();
                }
            }
        }
    }
}

/// The sent records, by number, and their known fate.
#[derive(Default)]
struct Model {
    sent: u64,
    /// Offset and number.
    acknowledged: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<usize>),
    Sweep,
}

#[derive(Debug, Clone)]
struct Round {
    ops: Vec<Op>,
    seed: u64,
    fault: f64,
    cut_in: u64,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let op = prop_oneof![
        5 => prop::collection::vec(0usize..1500, 1..8).prop_map(Op::Append),
        1 => Just(Op::Sweep),
    ];
    let fault = prop_oneof![Just(0.0), Just(0.1)];
    let round = (prop::collection::vec(op, 0..12), any::<u64>(), fault, 1u64..60);
    let round = round.prop_map(|(ops, seed, fault, cut_in)| Round { ops, seed, fault, cut_in });
    prop::collection::vec(round, 1..5)
}

fn settings(dir: &Path) -> EmbeddedSettings {
    // A group commit ends at a flush, so that the same rounds make the same writes.
    EmbeddedSettings { sync_after: Duration::from_hours(1), sync_bytes: 1 << 20, ..super::settings(dir) }
}

fn numbered(number: u64, len: usize) -> Record {
    let mut value = number.to_le_bytes().to_vec();
    value.resize(8 + len, number as u8);
    Record { key: format!("k{}", number % KEYS).into(), ..super::record(value) }
}

async fn append(bus: &EmbeddedBus, lengths: &[usize], model: &mut Model) {
    let mut deliveries = Vec::new();
    for len in lengths {
        deliveries.push((model.sent, bus.send(TOPIC, numbered(model.sent, *len)).await.unwrap()));
        model.sent += 1;
    }
    let _ = bus.flush().await;
    for (number, delivery) in deliveries {
        if let Ok(written) = delivery.await {
            let before = model.acknowledged.insert(written.offset.unwrap(), number);
            assert_eq!(before, None, "an offset is given once");
        }
    }
}

/// Works on `dir` until the power fails, at the end at the latest; `rest` is the resulting directory.
async fn work(dir: &Path, rest: &Path, retention: Retention, round: &Round, model: &mut Model) {
    let disk = Arc::new(Failing::new(dir, rest, round.seed, round.fault, round.cut_in));
    let opened = EmbeddedBus::open_on(settings(dir), Arc::<Failing>::clone(&disk));
    if let Ok(bus) = opened {
        if bus.ensure_topics(&[spec(retention)]).await.is_ok() {
            for op in &round.ops {
                match op {
                    Op::Append(lengths) => append(&bus, lengths, model).await,
                    Op::Sweep => drop(bus.sweep().await),
                }
                if disk.is_cut() {
                    break;
                }
            }
        }
        disk.cut();
        bus.close().await.unwrap();
    }
    disk.cut();
}

/// Whether `number` was superseded by one of the same key among `found`.
fn is_superseded(number: u64, found: &BTreeMap<u64, u64>) -> bool {
    found.values().any(|other| *other > number && other % KEYS == number % KEYS)
}

/// Opens the resulting directory, checks its content, and that writing continues.
async fn check(dir: &Path, retention: Retention, model: &mut Model) {
    let bus = EmbeddedBus::open(settings(dir)).unwrap_or_else(|error| panic!("{error}"));
    bus.ensure_topics(&[spec(retention)]).await.unwrap();
    for _ in 0..2 {
        let bounds = bus.watermarks(TOPIC).await.unwrap()[0];
        let mut found = BTreeMap::new();
        for offset in bounds.low..bounds.high {
            let Some(read) = bus.fetch(TOPIC, 0, offset).await.unwrap() else { continue };
            let value = read.record.value.as_ref().unwrap();
            let number = u64::from_le_bytes(value[..8].try_into().unwrap());
            assert!(number < model.sent, "nobody sent {number}");
            assert_eq!(read.record, numbered(number, value.len() - 8), "at {offset}");
            found.insert(offset, number);
        }
        let numbers: Vec<u64> = found.values().copied().collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "in order, and none twice: {numbers:?}");
        for (offset, number) in &model.acknowledged {
            let is_there = found.get(offset) == Some(number);
            let may_be_gone = retention == Retention::Compact && is_superseded(*number, &found);
            assert!(is_there || may_be_gone, "{number} was acknowledged at {offset}; found: {found:?}");
        }
        append(&bus, &[10, 2000, 0], model).await;
        assert_eq!(model.acknowledged.range(bounds.high..).count(), 3, "writing goes on behind what is there");
    }
    bus.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_outlives_power_cuts_and_nothing_is_made_up(rounds in rounds(), compacted in any::<bool>()) {
        let retention = if compacted { Retention::Compact } else { FOR_EVER };
        let base = tempfile::tempdir().unwrap();
        let mut model = Model::default();
        let path = |number: usize| base.path().join(number.to_string());
        fs::create_dir(path(0)).unwrap();
        for (number, round) in rounds.iter().enumerate() {
            runtime().block_on(async {
                work(&path(number), &path(number + 1), retention, round, &mut model).await;
                check(&path(number + 1), retention, &mut model).await;
            });
        }
    }
}
