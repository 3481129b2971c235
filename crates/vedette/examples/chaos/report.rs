//! The report: a row per fault, as Markdown. A row that is run again alone replaces the previous one; the others stay.

use std::fmt::Write;

use crate::cluster::SMALL_DISK_MB;
use crate::fault::Fault;
use crate::row::{MEMORY_MB, RECOVERY, Row};
use crate::site::{PARTITIONS, Setup};

/// Most findings of a row that are listed.
const MOST_SAID: usize = 20;
const BROKEN: &str = "## What was broken: ";
const VERDICTS: [&str; 3] = ["kept", "**BROKEN**, see below", "not run: "];

/// A row of the report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    fault: Fault,
    /// The line of the table.
    line: String,
    /// The violations, a list; empty without any.
    broken: String,
}

impl Entry {
    /// A row that was run.
    pub(crate) fn of(row: &Row) -> Self {
        Self { fault: row.fault, line: line(row), broken: broken(row) }
    }

    /// A row that could not be run.
    pub(crate) fn not_run(fault: Fault, reason: &str) -> Self {
        let reason = reason.replace(['\n', '|'], " ");
        Self {
            fault,
            line: format!("| **{}** | | | | | | | {}{reason} |", fault.name(), VERDICTS[2]),
            broken: String::new(),
        }
    }

    /// The rows of an existing report.
    pub(crate) fn read(page: &str) -> Vec<Self> {
        let entry = |fault: Fault| {
            let start = format!("| **{}**", fault.name());
            let line = page.lines().find(|line| line.starts_with(&start))?.to_owned();
            let section = page.split_once(&format!("{BROKEN}{}\n", fault.name())).map_or("", |(_, rest)| rest);
            let section = section.split("\n## ").next().unwrap_or_default().trim();
            Some(Self { fault, line, broken: section.to_owned() })
        };
        Fault::ALL.into_iter().filter_map(entry).collect()
    }
}

/// The report with `new` rows, and those of `before` that were not run again, in the order of [`Fault::ALL`].
pub(crate) fn page(new: &[Entry], before: &[Entry], setup: &Setup) -> String {
    let of = |fault| new.iter().chain(before).find(|entry| entry.fault == fault);
    let entries: Vec<&Entry> = Fault::ALL.into_iter().filter_map(of).collect();
    let with = |verdict: &str| entries.iter().filter(|entry| entry.line.contains(&format!("| {verdict}"))).count();
    let [kept, broken, not_run] = VERDICTS.map(with);
    let mut page = String::new();
    let _ = writeln!(
        page,
        "# Fault injection on three brokers and three workers\n\n\
         `make chaos-kafka` wrote this page; `make chaos-kafka CHAOS=\"--only ROW --report docs/CHAOS.md\"` repeats one row. \
         Of {} rows {kept} kept the guarantee of [ARCHITECTURE.md](ARCHITECTURE.md#delivery-nothing-lost-nothing-twice), {broken} broke it, \
         {not_run} could not be run.\n",
        entries.len()
    );
    let _ = writeln!(page, "{}", setting(setup));
    let _ = writeln!(page, "| fault | alerts | frames | repeated | latency | recovered | memory | guarantee |");
    let _ = writeln!(page, "| --- | --- | --- | --- | --- | --- | --- | --- |");
    for entry in &entries {
        let _ = writeln!(page, "{}", entry.line);
    }
    let _ = write!(page, "\n{}", legend());
    for entry in entries.iter().filter(|entry| !entry.broken.is_empty()) {
        let _ = writeln!(page, "\n{BROKEN}{}\n\n{}", entry.fault.name(), entry.broken);
    }
    page
}

fn setting(setup: &Setup) -> String {
    let Setup { fps, group_protocol } = setup;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let memory: u64 = memory.unwrap_or(0);
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    format!(
        "The machine: {cores} cores ({}), {} GB of memory, everything on it. Three Apache Kafka 4.1.1 brokers (KRaft, each also \
         a controller, 256 MB of heap), replication factor 3, `min.insync.replicas` 2; the data of broker 3 on a file system of \
         {SMALL_DISK_MB} MB. Four processes of `vedette run`: one has the role `ingest` with {PARTITIONS} cameras (the demo's \
         recording at {fps} frames per second in a loop, from different positions), three have the roles `detect` and `analyse`, \
         the second of them reaches the brokers through a proxy of this run, the third has the console too. `detect.shed_after` \
         is 12 h: no frame is shed, however late. `bus.kafka.group_protocol` is `{group_protocol}`. Each row has its own \
         topics.\n",
        processor.unwrap_or("unknown processor"),
        memory / 1_000_000
    )
}

fn line(row: &Row) -> String {
    let findings = &row.findings;
    let mut shed = String::new();
    for (reason, count) in &findings.counts.shed {
        let _ = write!(shed, ", {count} {}", reason.as_str());
    }
    let recovery = row.recovery.map_or_else(|| "no".to_owned(), |took| format!("{:.0} s", took.as_secs_f64()));
    format!(
        "| **{}**: {} | {} ({} stored, {} raised meanwhile) | {} on `video`, {} analysed{shed} | {} detections, {} alerts | \
         {:.0} ms | {recovery} | {} MB | {} |",
        row.fault.name(),
        row.done,
        findings.alerts,
        findings.stored,
        row.raised_meanwhile,
        findings.frames,
        findings.counts.analysed,
        findings.repeated_detections,
        findings.repeated_alerts,
        row.before.as_secs_f64() * 1e3,
        row.peak_mb,
        VERDICTS[usize::from(!findings.wrong.is_empty())],
    )
}

fn legend() -> String {
    format!(
        "*Checks* (`crates/vedette/examples/chaos/check.rs`), once intake has been stopped and the groups have no lag. \
         P1: replaying `detections`, of each frame the first record, through `CameraAnalysis` gives exactly the alerts on `alerts`, by \
         id, revision and bytes (column *alerts*), and each is in the console's store. P2: all copies of a revision on the topic \
         have one payload, and the store has each alert once, in its last revision. P3: the frames on `video` and the numbers \
         missing there are, camera by camera, those in the frame accounting of the newest state; none is missing or late; \
         there are no dead letters. (`/metrics` is not compared: its counters are of one process since its \
         start.) P4: the median from capture to detections on the bus is below twice that before the fault (column \
         *latency*) at most {RECOVERY} after its end, for five seconds and for each camera; no worker ever had more than \
         {MEMORY_MB} MB. P5: the newest state of each camera is, byte for byte, that of the replay at its offset, and no record \
         follows it.\n\n\
         *Repeated*: records on the topic after the first of a frame or revision, which the product recognises as duplicates. \
         The checks are tested in turn: `cargo test -p vedette --example chaos` plants twelve bugs (alerts lost, changed, with two ids; \
         a store that missed one; detections lost, a frame dropped without accounting; states damaged, lost, old), each of which they \
         must find.\n"
    )
}

fn broken(row: &Row) -> String {
    let wrong = &row.findings.wrong;
    let mut list = wrong.iter().take(MOST_SAID).map(|wrong| format!("- {wrong}")).collect::<Vec<_>>();
    if wrong.len() > MOST_SAID {
        list.push(format!("- and {} more", wrong.len() - MOST_SAID));
    }
    list.join("\n")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_row_that_is_run_again_takes_the_place_of_the_one_before() {
        let entry = |fault: Fault, verdict: &str, broken: &str| Entry {
            fault,
            line: format!("| **{}**: it | 5 | {verdict} |", fault.name()),
            broken: broken.to_owned(),
        };
        let first = [
            entry(Fault::WorkerKill, VERDICTS[1], "- P1: one is lost"),
            entry(Fault::NetworkCut, VERDICTS[1], "- P2: one is there twice\n- P3: two"),
            Entry::not_run(Fault::None, "no\nroom"),
        ];
        let setup = Setup { fps: NonZeroU32::MIN, group_protocol: "classic".into() };
        let before = page(&first, &[], &setup);
        assert!(before.contains("Of 3 rows 0 kept the guarantee"), "{before}");
        assert!(before.contains("2 broke it, 1 could not be run"), "{before}");
        let again = page(&[entry(Fault::WorkerKill, VERDICTS[0], "")], &Entry::read(&before), &setup);
        assert!(again.contains("Of 3 rows 1 kept the guarantee"), "{again}");
        assert!(again.contains("- P2: one is there twice\n- P3: two") && !again.contains("P1: one"), "{again}");
        assert_eq!(page(&[], &Entry::read(&again), &setup), again);
    }
}
