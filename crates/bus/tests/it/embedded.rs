//! The embedded log fulfils the contract of the bus.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Bus, BusError, SharedBus, StartAt};

use crate::suite::{self, new_topic, next_record, read_up, record, send_all, unique};

fn settings(dir: &std::path::Path) -> EmbeddedSettings {
    EmbeddedSettings {
        segment_bytes: 16 << 10,
        sync_after: Duration::from_millis(1),
        sweep_interval: Duration::from_millis(20),
        receive_queue_bytes: 1 << 20,
        ..EmbeddedSettings::new(dir)
    }
}

fn open(dir: &std::path::Path) -> Arc<EmbeddedBus> {
    EmbeddedBus::open(settings(dir)).unwrap()
}

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let dir = tempfile::tempdir().unwrap();
            let bus: SharedBus = open(dir.path());
            suite::$name(bus).await;
        }
    )*};
}

every_promise!(conformance);

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let group = unique("group");
    let bus = open(dir.path());
    let topic = new_topic(&*bus, 3).await;
    let sent = send_all(&*bus, &topic, (0..200).map(|n| record(&format!("k{n}"), format!("{n:0400}")))).await;
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    next_record(&mut member, &mut Vec::new()).await;
    for partition in 0..3 {
        member.committer().commit(&topic, partition, 5).await.unwrap();
    }
    bus.close().await.unwrap();
    assert!(matches!(bus.send(&topic, record("k", "v")).await, Err(BusError::Closed)));
    let ended = async { while !matches!(member.next().await, Err(BusError::Closed)) {} };
    suite::within("the end of the subscription", ended).await;
    let bus = open(dir.path());
    let mut read: Vec<_> = read_up(&*bus, &topic, StartAt::Earliest)
        .await
        .into_iter()
        .map(|read| (read.position.partition, read.position.offset))
        .collect();
    read.sort_unstable();
    let mut sent = sent;
    sent.sort_unstable();
    assert_eq!(read, sent);
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    assert_eq!(next_record(&mut member, &mut Vec::new()).await.position.offset, 5);
}

#[tokio::test]
async fn a_directory_has_one_owner_and_a_group_one_member() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(dir.path());
    let second = EmbeddedBus::open(settings(dir.path())).err().unwrap();
    assert!(second.to_string().contains("has it open"), "{second}");
    let topic = new_topic(&*bus, 2).await;
    let member = bus.subscribe("g", &[&topic]).await.unwrap();
    let refused = bus.subscribe("g", &[&topic]).await.err().unwrap();
    assert!(matches!(&refused, BusError::Refused { .. }) && refused.to_string().contains("`g`"), "{refused}");
    drop(member);
    bus.subscribe("g", &[&topic]).await.unwrap();
    drop(bus);
    open(dir.path());
}

#[tokio::test]
async fn flush_waits_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let slow = EmbeddedSettings { sync_after: Duration::from_secs(3600), ..settings(dir.path()) };
    let bus = EmbeddedBus::open(slow).unwrap();
    let topic = new_topic(&*bus, 4).await;
    for number in 0..40 {
        drop(bus.send(&topic, record(&format!("k{number}"), "v")).await.unwrap());
    }
    bus.flush().await.unwrap();
    let total: u64 = bus.watermarks(&topic).await.unwrap().iter().map(|bound| bound.high).sum();
    assert_eq!(total, 40);
}

/// Runs one test of this binary in a process of its own.
fn child(program: &str, args: &[&str], test: &str, dir: &std::path::Path) -> std::process::Child {
    std::process::Command::new(program)
        .args(args)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("VEDETTE_TEST_CHILD_DIR", dir)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os("VEDETTE_TEST_CHILD_DIR").map(Into::into)
}

/// The child of the next test: writes until it is killed and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_child() {
    let Some(dir) = child_dir() else { return };
    let bus = open(&dir);
    bus.ensure_topics(&[suite::spec("t", 3)]).await.unwrap();
    let (sender, mut deliveries) = tokio::sync::mpsc::channel(1000);
    tokio::spawn(async move {
        for number in 0u64.. {
            let value = vec![number as u8; (number * 37 % 5000) as usize];
            let delivery = bus.send("t", record(&format!("k{}", number % 11), value)).await.unwrap();
            sender.send((number, delivery)).await.unwrap();
        }
    });
    while let Some((number, delivery)) = deliveries.recv().await {
        let position = delivery.await.unwrap();
        println!("ack {} {} {number};", position.partition, position.offset.unwrap());
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    use std::io::{BufRead, BufReader};
    if child_dir().is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        let mut child = child(exe.to_str().unwrap(), &[], "embedded::crash_child", dir.path());
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
            let line = String::from_utf8(line.unwrap()).unwrap();
            // A line may be cut where the process was.
            let Some(ack) = line.strip_prefix("ack ").and_then(|rest| rest.strip_suffix(';')) else { continue };
            let mut words = ack.split(' ').map(|word| word.parse::<u64>().unwrap());
            acknowledged.push((words.next().unwrap() as u32, words.next().unwrap(), words.next().unwrap()));
            seen += 1;
            if seen == 700 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 700 * round, "the child ended by itself");
    }
    let bus = open(dir.path());
    for (partition, offset, number) in acknowledged {
        let read = bus.fetch("t", partition, offset).await.unwrap();
        let read = read.unwrap_or_else(|| panic!("{partition}/{offset} is lost"));
        assert_eq!(read.record.value.unwrap(), vec![number as u8; (number * 37 % 5000) as usize]);
    }
}

/// The child of the next test, on a file system of 2 MiB.
#[tokio::test]
async fn disk_full_child() {
    let Some(dir) = child_dir() else { return };
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let bus = open(&dir);
    bus.ensure_topics(&[suite::spec("t", 1)]).await.unwrap();
    let send = async || bus.send("t", record("k", vec![3; 5000])).await.unwrap().await;
    let mut acknowledged = 0;
    let error = loop {
        match send().await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, BusError::Storage { cause, .. } if cause.contains("free space")), "{error}");
    assert!(send().await.is_err());
    assert_eq!(read_up(&*bus, "t", StartAt::Earliest).await.len(), acknowledged);
    std::fs::remove_file(&ballast).unwrap();
    for _ in 0..50 {
        send().await.unwrap();
    }
    bus.close().await.unwrap();
    let bus = open(&dir);
    assert_eq!(read_up(&*bus, "t", StartAt::Earliest).await.len(), acknowledged + 50);
    println!("disk was full after {acknowledged} records, and writing went on");
}

#[test]
fn a_full_disk_fails_deliveries_until_there_is_room() {
    if child_dir().is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=2m tmpfs \"$VEDETTE_TEST_CHILD_DIR\"";
    let tried = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", mount])
        .env("VEDETTE_TEST_CHILD_DIR", dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        // Past the capture of passing tests, so that it is seen and counted.
        let why = "no right to mount a small file system here; the unit tests fill a simulated one";
        let _ = std::io::stderr().write_all(format!("\nSKIPPED a_full_disk: {why}\n").as_bytes());
        return;
    }
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let exe = std::env::current_exe().unwrap();
    let child =
        child("unshare", &["-rm", "sh", "-c", &script, exe.to_str().unwrap()], "embedded::disk_full_child", dir.path());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("writing went on"), "{text}");
}
