//! Append rate of the embedded log next to the same bytes written to a plain file with `fdatasync` per MiB, in one run.
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Bus, Record, Retention, TopicSpec};

/// Bytes of one measured append run.
const RUN: usize = 32 << 20;

/// Output directory: `VEDETTE_BENCH_DIR`, or the directory for temporary files.
fn dir() -> PathBuf {
    std::env::var_os("VEDETTE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into)
}

fn plain(dir: &Path, value: &[u8]) -> Duration {
    let mut file = File::create(dir.join("plain")).expect("the directory is writable");
    let began = Instant::now();
    let mut unsynced = 0;
    for _ in 0..RUN / value.len() {
        file.write_all(value).expect("there is room");
        unsynced += value.len();
        if unsynced >= 1 << 20 {
            file.sync_data().expect("the disk works");
            unsynced = 0;
        }
    }
    file.sync_data().expect("the disk works");
    began.elapsed()
}

async fn embedded(bus: &EmbeddedBus, topic: &str, value: &Bytes) -> Duration {
    let began = Instant::now();
    for number in 0..RUN / value.len() {
        let key = format!("camera-{}", number % 16).into();
        let record = Record { key, value: Some(value.clone()), headers: Vec::new(), timestamp_ms: 0 };
        // Deliveries are not awaited one by one: the flush returns when all are durable.
        drop(bus.send(topic, record).await.expect("the bus is open"));
    }
    bus.flush().await.expect("the disk works");
    began.elapsed()
}

fn appends(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads start");
    let work = tempfile::tempdir_in(dir()).expect("the directory is writable");
    let bus = EmbeddedBus::open(EmbeddedSettings::new(work.path().join("log"))).expect("a new log opens");
    // Retention is short, so that a long run does not fill the disk.
    let retention = Retention::Delete { age: Duration::from_hours(1_000_000), bytes: Some(1 << 30) };
    let spec = |name: &str, partitions| TopicSpec {
        name: name.to_owned(),
        partitions,
        retention,
        max_record_bytes: 1 << 20,
        compact_after: std::time::Duration::ZERO,
        compress: false,
    };
    runtime.block_on(bus.ensure_topics(&[spec("one", 1), spec("four", 4)])).expect("topics are made");
    for bytes in [100_000, 1000] {
        let value =
            Bytes::from((0..bytes as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect::<Vec<_>>());
        let mut group = criterion.benchmark_group("append");
        group.sample_size(10).measurement_time(Duration::from_secs(8)).throughput(Throughput::Bytes(RUN as u64));
        group.bench_function(BenchmarkId::new("plain file", bytes), |bencher| {
            bencher.iter_custom(|runs| (0..runs).map(|_| plain(work.path(), &value)).sum());
        });
        for topic in ["one", "four"] {
            group.bench_function(BenchmarkId::new(format!("embedded log, {topic} partition(s)"), bytes), |bencher| {
                bencher.iter_custom(|runs| (0..runs).map(|_| runtime.block_on(embedded(&bus, topic, &value))).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, appends);
criterion_main!(benches);
