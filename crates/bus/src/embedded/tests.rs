//! The log against a model, a damaged disk and a full one.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::disk::{Disk, FileSystem};
use super::frame::frame_len;
use super::segment::{HEADER, Segment};
use super::{Clock, EmbeddedBus, EmbeddedSettings};
use crate::{Bus, BusError, Record, Retention, StartAt, TopicSpec};

mod lost;
mod power_cut;

const TOPIC: &str = "t";

fn settings(dir: &Path) -> EmbeddedSettings {
    EmbeddedSettings {
        segment_bytes: 4096,
        sync_after: Duration::ZERO,
        sweep_interval: Duration::from_hours(1),
        ..EmbeddedSettings::new(dir)
    }
}

fn spec(retention: Retention) -> TopicSpec {
    TopicSpec {
        name: TOPIC.to_owned(),
        partitions: 1,
        retention,
        compact_after: Duration::ZERO,
        max_record_bytes: 1 << 20,
        compress: false,
    }
}

const FOR_EVER: Retention = Retention::Delete { age: Duration::from_hours(1_000_000), bytes: None };

fn record(value: Vec<u8>) -> Record {
    Record { key: "k".into(), value: Some(value.into()), headers: Vec::new(), timestamp_ms: 1000 }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn append(bus: &EmbeddedBus, values: &[Vec<u8>]) -> Result<Vec<u64>, BusError> {
    let mut deliveries = Vec::new();
    for value in values {
        deliveries.push(bus.send(TOPIC, record(value.clone())).await?);
    }
    let mut offsets = Vec::new();
    for delivery in deliveries {
        offsets.push(delivery.await?.offset.expect("the log knows where"));
    }
    Ok(offsets)
}

/// Offsets and values from `from` to the end, by fetches beyond damage and by one reader; both must agree.
async fn contents(bus: &EmbeddedBus) -> Vec<(u64, Vec<u8>)> {
    let bounds = bus.watermarks(TOPIC).await.unwrap()[0];
    let mut fetched = Vec::new();
    for offset in bounds.low..bounds.high {
        if let Some(read) = bus.fetch(TOPIC, 0, offset).await.unwrap() {
            fetched.push((offset, read.record.value.unwrap().to_vec()));
        }
    }
    let mut reader = bus.read(TOPIC, StartAt::Earliest).await.unwrap();
    let mut read = Vec::new();
    while read.len() < fetched.len() {
        let next = reader.next().await.unwrap();
        read.push((next.position.offset, next.record.value.unwrap().to_vec()));
    }
    assert_eq!(read, fetched);
    fetched
}

fn segment_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir.join("topics").join(TOPIC).join("0")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    paths
}

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<usize>),
    Reopen { indexes: bool },
    Tear(u64),
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop::collection::vec(0usize..1500, 1..6).prop_map(Op::Append),
        1 => any::<bool>().prop_map(|indexes| Op::Reopen { indexes }),
        1 => (1u64..2000).prop_map(Op::Tear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn log_is_the_list_of_what_was_appended(ops in prop::collection::vec(ops(), 1..14)) {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut bus = EmbeddedBus::open(settings(dir.path())).unwrap();
            bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for op in ops {
                match op {
                    Op::Append(lengths) => {
                        let values: Vec<_> = lengths.iter().map(|len| vec![model.len() as u8; *len]).collect();
                        let offsets = append(&bus, &values).await.unwrap();
                        let from = model.len() as u64;
                        assert_eq!(offsets, (from..from + values.len() as u64).collect::<Vec<_>>());
                        model.extend(values);
                    }
                    Op::Reopen { indexes } => {
                        bus.close().await.unwrap();
                        if !indexes {
                            for path in segment_files(dir.path()) {
                                let _ = fs::remove_file(path.with_extension("idx"));
                            }
                        }
                        bus = EmbeddedBus::open(settings(dir.path())).unwrap();
                    }
                    Op::Tear(bytes) => {
                        bus.close().await.unwrap();
                        let last = segment_files(dir.path()).pop().unwrap();
                        let base: usize = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                        let len = fs::metadata(&last).unwrap().len().saturating_sub(bytes);
                        OpenOptions::new().write(true).open(&last).unwrap().set_len(len).unwrap();
                        // As after a crash: the index is written when a segment is closed.
                        let _ = fs::remove_file(last.with_extension("idx"));
                        let mut end = HEADER;
                        let whole = model[base..].iter().take_while(|value| {
                            end += frame_len(&record((*value).clone())) as u64;
                            end <= len
                        });
                        model.truncate(base + whole.count());
                        bus = EmbeddedBus::open(settings(dir.path())).unwrap();
                    }
                }
                let bounds = bus.watermarks(TOPIC).await.unwrap()[0];
                assert_eq!((bounds.low, bounds.high), (0, model.len() as u64));
            }
            let wanted: Vec<_> = model.into_iter().enumerate().map(|(offset, value)| (offset as u64, value)).collect();
            assert_eq!(contents(&bus).await, wanted);
        });
    }
}

#[test]
fn damage_costs_only_what_it_hits() {
    for indexes in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
            bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
            let values: Vec<_> = (0..33u8).map(|n| vec![n; 500]).collect();
            append(&bus, &values).await.unwrap();
            bus.close().await.unwrap();
            let files = segment_files(dir.path());
            assert!(files.len() > 3);
            // In the middle of the first segment, and of the last one, which is not a torn end.
            let at = HEADER + frame_len(&record(vec![0; 500])) as u64 + 100;
            for path in [&files[0], &files[files.len() - 1]] {
                OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"damage", at).unwrap();
                if !indexes {
                    fs::remove_file(path.with_extension("idx")).unwrap();
                }
            }
            let base: u64 = files[files.len() - 1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
            let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
            let offsets: Vec<u64> = contents(&bus).await.into_iter().map(|(offset, _)| offset).collect();
            assert_eq!(offsets, (0..33).filter(|offset| ![1, base + 1].contains(offset)).collect::<Vec<_>>());
            assert_eq!(append(&bus, &[vec![1]]).await.unwrap(), [33]);
        });
    }
}

/// A disk that can be full (1) or fail to sync (2).
struct Faulty(AtomicU8);

impl Disk for Faulty {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) == 1 {
            FileSystem.write(file, &bytes[..bytes.len() / 2], at)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        FileSystem.write(file, bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) == 2 {
            return Err(io::Error::other("the disk is gone"));
        }
        FileSystem.sync(file)
    }
}

#[test]
fn a_failing_disk_fails_the_delivery_and_nothing_else() {
    for fault in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let disk = Arc::new(Faulty(AtomicU8::new(0)));
            let bus = EmbeddedBus::open_on(settings(dir.path()), Arc::<Faulty>::clone(&disk)).unwrap();
            bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
            let values: Vec<_> = (0..20u8).map(|n| vec![n; 700]).collect();
            append(&bus, &values[..10]).await.unwrap();
            disk.0.store(fault, Ordering::SeqCst);
            // Often enough that a new segment would be due too.
            for _ in 0..8 {
                let error = append(&bus, &values[10..11]).await.unwrap_err();
                let BusError::Storage { cause, .. } = &error else { panic!("{error}") };
                assert!(cause.contains(if fault == 1 { "free space" } else { "the disk is gone" }), "{cause}");
                assert!(bus.flush().await.is_err());
            }
            assert_eq!(contents(&bus).await.len(), 10);
            disk.0.store(0, Ordering::SeqCst);
            let offsets = append(&bus, &values[10..]).await.unwrap();
            assert_eq!(offsets, (10..20).collect::<Vec<_>>());
            bus.flush().await.unwrap();
            bus.close().await.unwrap();
            let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
            let wanted: Vec<_> = (0..).zip(values).collect();
            assert_eq!(contents(&bus).await, wanted);
        });
    }
}

#[test]
fn retention_by_bytes_and_by_age_of_a_quiet_partition() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let now = Arc::new(AtomicI64::new(1000));
        let told = Arc::clone(&now);
        let clock = Clock::new(move || told.load(Ordering::SeqCst));
        let bus = EmbeddedBus::open(EmbeddedSettings { clock, ..settings(dir.path()) }).unwrap();
        let retention = Retention::Delete { age: Duration::from_secs(100), bytes: Some(20_000) };
        bus.ensure_topics(&[spec(retention)]).await.unwrap();
        append(&bus, &vec![vec![1; 1000]; 60]).await.unwrap();
        bus.sweep().await.unwrap();
        let kept: u64 = segment_files(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!((12_000..=20_000).contains(&kept), "{kept}");
        let bounds = bus.watermarks(TOPIC).await.unwrap()[0];
        assert!(bounds.low > 40 && bounds.high == 60, "{bounds:?}");
        // Nothing new is written, and still the last segment expires in time.
        now.store(1000 + 99_000, Ordering::SeqCst);
        bus.sweep().await.unwrap();
        assert_eq!(bus.watermarks(TOPIC).await.unwrap()[0].low, bounds.low);
        now.store(1000 + 101_000, Ordering::SeqCst);
        bus.sweep().await.unwrap();
        let bounds = bus.watermarks(TOPIC).await.unwrap()[0];
        assert_eq!((bounds.low, bounds.high), (60, 60));
        assert_eq!(append(&bus, &[vec![2]]).await.unwrap(), [60]);
    });
}

#[test]
fn who_opens_a_segment_while_it_is_replaced_reads_its_own_file_and_later_none() {
    let dir = tempfile::tempdir().unwrap();
    let (segment, file) = Segment::create(dir.path(), 0, &FileSystem).unwrap();
    file.write_all_at(b"the longer old one", HEADER).unwrap();
    let merged = dir.path().join("merged");
    fs::write(&merged, b"new").unwrap();
    let length = |file: &File| file.metadata().unwrap().len();
    let announce = || {
        assert_eq!(fs::read(&segment.path)?, b"new");
        assert_eq!(length(segment.file()?.as_ref()), HEADER + 18);
        Ok(())
    };
    segment.replace_file(&merged, announce).unwrap();
    assert_eq!(segment.file().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn compaction_drops_tombstones_in_time_and_survives_a_crash_between_its_steps() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let now = Arc::new(AtomicI64::new(1000));
        let told = Arc::clone(&now);
        let clock = Clock::new(move || told.load(Ordering::SeqCst));
        let settings = EmbeddedSettings { clock, tombstone_delay: Duration::from_secs(10), ..settings(dir.path()) };
        let bus = EmbeddedBus::open(settings.clone()).unwrap();
        bus.ensure_topics(&[spec(Retention::Compact)]).await.unwrap();
        let keyed = |key: &str, value: Option<usize>| Record {
            key: key.to_owned().into(),
            value: value.map(|len| vec![0; len].into()),
            headers: Vec::new(),
            timestamp_ms: 1000,
        };
        let gone = bus.send(TOPIC, keyed("gone", Some(10))).await.unwrap().await.unwrap();
        let deleted = bus.send(TOPIC, keyed("gone", None)).await.unwrap().await.unwrap();
        let stays = bus.send(TOPIC, keyed("stays", Some(10))).await.unwrap().await.unwrap();
        let busy = async |bus: &EmbeddedBus| {
            for _ in 0..12 {
                bus.send(TOPIC, keyed("busy", Some(1000))).await.unwrap().await.unwrap();
            }
        };
        busy(&bus).await;
        let leftover = segment_files(dir.path())[1].clone();
        let bytes = fs::read(&leftover).unwrap();
        bus.sweep().await.unwrap();
        let at = async |bus: &EmbeddedBus, offset: Option<u64>| bus.fetch(TOPIC, 0, offset.unwrap()).await.unwrap();
        assert!(at(&bus, gone.offset).await.is_none());
        assert!(at(&bus, deleted.offset).await.is_some_and(|read| read.record.value.is_none()));
        assert!(at(&bus, stays.offset).await.is_some());
        now.store(20_000, Ordering::SeqCst);
        busy(&bus).await;
        bus.sweep().await.unwrap();
        assert!(at(&bus, deleted.offset).await.is_none());
        assert!(at(&bus, stays.offset).await.is_some());
        bus.close().await.unwrap();
        // As if the process had ended before the merged segments were deleted, and in the middle of the next compaction.
        fs::write(&leftover, bytes).unwrap();
        fs::write(leftover.with_extension("compact"), b"half").unwrap();
        let bus = EmbeddedBus::open(settings).unwrap();
        assert!(!leftover.with_extension("compact").exists());
        let mut last = std::collections::HashMap::new();
        let high = bus.watermarks(TOPIC).await.unwrap()[0].high;
        let mut reader = bus.read(TOPIC, StartAt::Earliest).await.unwrap();
        let mut seen = 0;
        while seen + 1 < high {
            let read = reader.next().await.unwrap();
            assert!(read.position.offset >= seen);
            seen = read.position.offset;
            last.insert(read.record.key.clone(), read);
        }
        assert_eq!(last.len(), 2);
        assert_eq!(last[&b"busy"[..]].position.offset, high - 1);
        assert_eq!(Some(last[&b"stays"[..]].position.offset), stays.offset);
    });
}

#[test]
fn a_segment_that_was_only_begun_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
        bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
        append(&bus, &[vec![1; 100], vec![2; 100]]).await.unwrap();
        bus.close().await.unwrap();
        // Its length was durable when the power failed, its header was not.
        for left in [&[0; 8][..], b"VED\0\0\0\0\0", b"VED", b""] {
            let base = contents(&EmbeddedBus::open(settings(dir.path())).unwrap()).await.len() as u64;
            let begun = Segment::path(&dir.path().join("topics").join(TOPIC).join("0"), base);
            fs::write(&begun, left).unwrap();
            let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
            assert_eq!(append(&bus, &[vec![3; 100]]).await.unwrap(), [base]);
            bus.close().await.unwrap();
        }
        let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
        assert_eq!(contents(&bus).await.len(), 6);
    });
}

#[test]
fn a_foreign_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bus = EmbeddedBus::open(settings(dir.path())).unwrap();
        bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
    });
    let path = Segment::path(&dir.path().join("topics").join(TOPIC).join("0"), 0);
    fs::write(&path, b"something else altogether").unwrap();
    let error = EmbeddedBus::open(settings(dir.path())).err().unwrap().to_string();
    assert!(error.contains("00000.log") && error.contains("not a segment"), "{error}");
}
