//! Cost of the delivery guarantee, on a real broker, in one run with alternating rounds; `cargo bench -p vedette --bench
//! delivery_cost`, `benches/run delivery`.
//!
//! *The guarantee:* the analyse stage (checkpoints, everything durable before its offset is committed) against a loop that does the
//! same analysis with librdkafka's own auto-commit, without waiting and without checkpoints.
//! *The adapter:* records from one topic to another through the bus, committed when they are durable, against the same loop on bare
//! librdkafka with the same settings.

#[path = "../../../bus/tests/it/broker.rs"]
mod broker;
mod copying;
#[path = "../../../../benches/figures.rs"]
mod figures;
mod pipeline;

use std::time::Duration;

use broker::Broker;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of both sides, in alternating order. The median of their ratios counts, since the speed of a machine varies over time for
/// either side.
const ROUNDS: usize = 9;

/// Each round has its own topics. Kafka gives each partition of a new topic index files of 10 MB, and a file system may zero those
/// on first access, a cost that a topic in use does not have.
const SMALL_INDEXES: &str = "log.index.size.max.bytes=262144\n";

fn main() {
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(broker) = Broker::start_unhurried(SMALL_INDEXES) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    runtime.block_on(measure(&broker));
}

async fn measure(broker: &Broker) {
    let input = pipeline::Input::recorded();
    println!(
        "The delivery guarantee: {} frames of {} cameras to {} alerts, frames a second",
        input.frames(),
        pipeline::CAMERAS,
        input.alerts()
    );
    let state = input.state();
    println!("A camera's state: {} bytes, encoded in {:.1} us", state.bytes, state.encoding.as_secs_f64() * 1e6);
    // An uncounted round measures the speed of this machine.
    let save_every = input.save_every(pipeline::auto_commit(&input, &broker.brokers(), "pace.").await.time);
    println!("States are saved every {save_every}, for each fifty frames of a camera or so");
    let (mut guarantee, mut processor) = (Race::new("auto-commit", "the stage"), Vec::new());
    for round in 0..ROUNDS {
        let loose = async || pipeline::auto_commit(&input, &broker.brokers(), &format!("loose-{round}.")).await;
        let kept = async || pipeline::stage(&input, save_every, &broker.brokers(), &format!("kept-{round}.")).await;
        let (loose, kept) = by_turns(round, loose, kept).await;
        guarantee.round(input.rate(loose), input.rate(kept));
        processor.push([loose, kept].map(|took| input.processor_us(took)));
    }
    figures::at_least("throughput with the delivery guarantee against auto-commit", guarantee.ratio(), 0.95, "");
    let processor_of = |side: usize| median(processor.iter().map(|round: &[f64; 2]| round[side]).collect());
    println!("Processor time per frame, without the broker: {:.2} us, {:.2} us", processor_of(0), processor_of(1));
    let cost = median(processor.iter().map(|[loose, kept]| kept / loose).collect());
    figures::told("the same by processor time, without the broker", &format!("{:.3}", 1.0 / cost));
    println!("The adapter: {} records of {} bytes, records a second", copying::RECORDS, copying::BYTES);
    let mut adapter = Race::new("librdkafka", "the adapter");
    copying::fill(&broker.brokers()).await;
    for round in 0..ROUNDS {
        let bare = async || copying::bare(&broker.brokers(), round).await;
        let ours = async || copying::adapter(&broker.brokers(), round).await;
        let (bare, ours) = by_turns(round, bare, ours).await;
        let rate = |took: Duration| copying::RECORDS as f64 / took.as_secs_f64();
        adapter.round(rate(bare), rate(ours));
    }
    figures::at_least("Kafka adapter against bare librdkafka", adapter.ratio(), 0.9, "");
}

/// Runs both, one after the other; in every second round in reverse order.
async fn by_turns<T>(round: usize, one: impl AsyncFnOnce() -> T, other: impl AsyncFnOnce() -> T) -> (T, T) {
    if round.is_multiple_of(2) {
        let one = one().await;
        (one, other().await)
    } else {
        let other = other().await;
        (one().await, other)
    }
}

/// Two sides, round by round.
struct Race {
    names: [&'static str; 2],
    /// Rates of the baseline and of ours.
    rounds: Vec<[f64; 2]>,
}

impl Race {
    fn new(theirs: &'static str, ours: &'static str) -> Self {
        println!("{:>8}{theirs:>14}{ours:>14}{:>8}", "round", "ratio");
        Self { names: [theirs, ours], rounds: Vec::new() }
    }

    fn round(&mut self, theirs: f64, ours: f64) {
        self.rounds.push([theirs, ours]);
        println!("{:>8}{theirs:>14.0}{ours:>14.0}{:>8.3}", self.rounds.len(), ours / theirs);
    }

    /// The median over the rounds of the ratio ours to baseline; the medians of the rates are shown beside it.
    fn ratio(&self) -> f64 {
        let of = |value: &dyn Fn(&[f64; 2]) -> f64| median(self.rounds.iter().map(value).collect());
        let ratio = of(&|[theirs, ours]| ours / theirs);
        let [theirs, ours] = self.names;
        println!(
            "{:>8}{:>14.0}{:>14.0}{ratio:>8.3}   ({ours} against {theirs})",
            "median",
            of(&|round| round[0]),
            of(&|round| round[1])
        );
        ratio
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
