//! A log that was cut or damaged says what it lost, and goes on behind it; a clock that jumps deletes nothing.

use vedette_core::Span;

use super::*;

async fn with_topic(dir: &Path) -> Arc<EmbeddedBus> {
    let bus = EmbeddedBus::open(settings(dir)).unwrap();
    bus.ensure_topics(&[spec(FOR_EVER)]).await.unwrap();
    bus
}

fn cut(path: &Path, percent: u64) {
    let len = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().set_len(len * percent / 100).unwrap();
}

async fn read_to_end(bus: &Arc<EmbeddedBus>) -> (Vec<u64>, Vec<(u32, u64)>) {
    let mut reader = bus.read(TOPIC, StartAt::Earliest).await.unwrap();
    let ends = reader.ends().to_vec();
    let mut offsets = Vec::new();
    while ends.iter().any(|(_, end)| offsets.last().is_none_or(|last| last + 1 < *end)) {
        offsets.push(reader.next().await.unwrap().position.offset);
    }
    (offsets, ends)
}

#[test]
fn a_log_that_was_cut_goes_on_behind_its_known_end() {
    for percent in [0, 30, 60, 99] {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let bus = with_topic(dir.path()).await;
            assert_eq!(append(&bus, &vec![vec![1; 1000]; 11]).await.unwrap().last(), Some(&10));
            assert_eq!(bus.damage(), None);
            bus.close().await.unwrap();
            drop(bus);
            let last = segment_files(dir.path()).pop().unwrap();
            cut(&last, percent);
            let bus = with_topic(dir.path()).await;
            assert!(bus.damage().unwrap().contains("of t/0"), "{:?}", bus.damage());
            assert_eq!(bus.watermarks(TOPIC).await.unwrap()[0].high, 11, "no offset is given out twice");
            let (offsets, ends) = read_to_end(&bus).await;
            assert_eq!(ends, [(0, offsets.last().unwrap() + 1)], "who reads to the end waits for nothing lost");
            assert!(offsets.len() < 11);
            assert_eq!(append(&bus, &[vec![2]]).await.unwrap(), [11]);
            let (after, ends) = read_to_end(&bus).await;
            assert_eq!((after.len(), ends), (offsets.len() + 1, vec![(0, 12)]));
            bus.close().await.unwrap();
            drop(bus);
            let bus = with_topic(dir.path()).await;
            assert_eq!(bus.damage(), None, "it is told once");
            assert_eq!(append(&bus, &[vec![3]]).await.unwrap(), [12]);
        });
    }
}

#[test]
fn a_commit_behind_the_end_tells_of_the_loss_where_no_index_does() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bus = with_topic(dir.path()).await;
        append(&bus, &vec![vec![1; 1000]; 11]).await.unwrap();
        let member = bus.subscribe("g", &[TOPIC]).await.unwrap();
        member.committer().commit(TOPIC, 0, 9).await.unwrap();
        assert_eq!(bus.committed("g", TOPIC).await.unwrap(), [(0, 9)]);
        assert_eq!(bus.committed("h", TOPIC).await.unwrap(), []);
        bus.close().await.unwrap();
        drop((member, bus));
        let files = segment_files(dir.path());
        for file in &files {
            fs::remove_file(file.with_extension("idx")).unwrap();
        }
        files[1..].iter().for_each(|file| fs::remove_file(file).unwrap());
        cut(&files[0], 50);
        let bus = with_topic(dir.path()).await;
        let damage = bus.damage().unwrap();
        assert!(damage.contains("acknowledged records were missing"), "{damage}");
        let next = append(&bus, &[vec![2]]).await.unwrap()[0];
        assert!(next > 9, "a commit must not lie behind new records: {next}");
        let mut member = bus.subscribe("g", &[TOPIC]).await.unwrap();
        let first = loop {
            if let crate::GroupEvent::Record(record) = member.next().await.unwrap() {
                break record.position.offset;
            }
        };
        assert_eq!(first, next, "the group goes on behind the loss, and repeats nothing");
    });
}

#[test]
fn a_damaged_last_record_does_not_keep_readers_waiting() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bus = with_topic(dir.path()).await;
        append(&bus, &vec![vec![1; 500]; 3]).await.unwrap();
        bus.close().await.unwrap();
        drop(bus);
        let file = segment_files(dir.path()).pop().unwrap();
        let len = fs::metadata(&file).unwrap().len();
        OpenOptions::new().write(true).open(&file).unwrap().write_all_at(b"damage", len - 100).unwrap();
        let bus = with_topic(dir.path()).await;
        assert_eq!(read_to_end(&bus).await, (vec![0, 1], vec![(0, 2)]));
        assert_eq!(append(&bus, &[vec![2]]).await.unwrap(), [3]);
        assert_eq!(read_to_end(&bus).await, (vec![0, 1, 3], vec![(0, 4)]));
    });
}

#[test]
fn numbers_in_files_are_not_believed_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bus = with_topic(dir.path()).await;
        append(&bus, &[vec![1]]).await.unwrap();
        bus.close().await.unwrap();
    });
    let path = dir.path().join("topics").join(TOPIC).join("topic.json");
    let sound = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"partitions\": 1", "\"partitions\": 4000000000"),
        ("\"partitions\": 1", "\"partitions\": 0"),
        ("\"max_record_bytes\": 1048576", "\"max_record_bytes\": 4000000000"),
    ] {
        assert!(sound.contains(from), "{sound}");
        fs::write(&path, sound.replace(from, to)).unwrap();
        let error = EmbeddedBus::open(settings(dir.path())).err().unwrap().to_string();
        assert!(error.contains("topic.json") && error.contains("1 to 1024 partitions"), "{error}");
    }
    fs::write(&path, &sound).unwrap();
    let stray = path.with_file_name("0").join(format!("{}.log", u64::MAX));
    fs::write(&stray, super::super::segment::MAGIC).unwrap();
    let error = EmbeddedBus::open(settings(dir.path())).err().unwrap().to_string();
    assert!(error.contains("move it out"), "{error}");
    fs::remove_file(stray).unwrap();
    drop(EmbeddedBus::open(settings(dir.path())).unwrap());
}

#[test]
fn a_clock_that_jumps_ahead_over_a_restart_deletes_nothing_for_a_day() {
    const SIXTY_YEARS: i64 = 60 * 365 * 86_400_000;
    let age = Duration::from_hours(7 * 24);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let wall = Arc::new(AtomicI64::new(1_000));
        let steady = Arc::new(AtomicI64::new(0));
        let clock = || {
            let (wall, steady) = (Arc::clone(&wall), Arc::clone(&steady));
            Clock::with_steady(move || wall.load(Ordering::SeqCst), move || steady.load(Ordering::SeqCst))
        };
        let open = || EmbeddedBus::open(EmbeddedSettings { clock: clock(), ..settings(dir.path()) }).unwrap();
        let bus = open();
        bus.ensure_topics(&[spec(Retention::Delete { age, bytes: None })]).await.unwrap();
        append(&bus, &vec![vec![1; 1000]; 20]).await.unwrap();
        let low = async |bus: &EmbeddedBus| bus.watermarks(TOPIC).await.unwrap()[0].low;
        // While it runs.
        wall.store(SIXTY_YEARS, Ordering::SeqCst);
        bus.sweep().await.unwrap();
        assert_eq!(low(&bus).await, 0);
        bus.close().await.unwrap();
        drop(bus);
        // And over a restart.
        let bus = open();
        bus.sweep().await.unwrap();
        steady.fetch_add(Span::from_secs(80_000).as_micros() / 1_000, Ordering::SeqCst);
        bus.sweep().await.unwrap();
        assert_eq!(low(&bus).await, 0);
        // It has stood so for a day.
        steady.fetch_add(Span::from_secs(8_000).as_micros() / 1_000, Ordering::SeqCst);
        bus.sweep().await.unwrap();
        assert_eq!(low(&bus).await, 20);
    });
}
