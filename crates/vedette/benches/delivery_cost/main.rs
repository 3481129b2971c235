//! What the promise of delivery costs, on a real broker, in one run with alternating rounds; `cargo bench -p vedette --bench
//! delivery_cost`, `benches/run delivery`.
//!
//! *The promise:* the stage that analyses (states saved, everything durable before its offset is committed) against a loop that
//! does the same analysis with librdkafka's own auto-commit, waits for nothing and saves nothing.
//! *The adapter:* records from one topic to another through the bus, committed when they are durable, against the same loop on
//! bare librdkafka with the same settings.

#[path = "../../../bus/tests/support/broker.rs"]
mod broker;
mod copying;
#[path = "../../../../benches/figures.rs"]
mod figures;
mod pipeline;

use std::time::Duration;

use broker::Broker;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of each side. The quickest counts: what else the machine does only ever slows one down.
const ROUNDS: usize = 5;

fn main() {
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(broker) = Broker::start() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    runtime.block_on(measure(&broker));
}

async fn measure(broker: &Broker) {
    let input = pipeline::Input::recorded();
    println!(
        "The promise: {} frames of {} cameras to {} alerts, frames a second",
        input.frames(),
        pipeline::CAMERAS,
        input.alerts()
    );
    let mut promise = Race::new("auto-commit", "the stage");
    for round in 0..ROUNDS {
        let loose = pipeline::auto_commit(&input, &broker.brokers(), &format!("loose-{round}.")).await;
        let kept = pipeline::stage(&input, &broker.brokers(), &format!("kept-{round}.")).await;
        promise.round(input.rate(loose), input.rate(kept));
    }
    figures::at_least("throughput with the promise against auto-commit", promise.ratio(), 0.95, "");
    println!("The adapter: {} records of {} bytes, records a second", copying::RECORDS, copying::BYTES);
    let mut adapter = Race::new("librdkafka", "the adapter");
    copying::fill(&broker.brokers()).await;
    for round in 0..ROUNDS {
        let bare = copying::bare(&broker.brokers(), round).await;
        let ours = copying::adapter(&broker.brokers(), round).await;
        let rate = |took: Duration| copying::RECORDS as f64 / took.as_secs_f64();
        adapter.round(rate(bare), rate(ours));
    }
    figures::at_least("Kafka adapter against bare librdkafka", adapter.ratio(), 0.9, "");
}

/// Two sides, round by round.
struct Race {
    names: [&'static str; 2],
    best: [f64; 2],
    rounds: usize,
}

impl Race {
    fn new(theirs: &'static str, ours: &'static str) -> Self {
        println!("{:>8}{theirs:>14}{ours:>14}{:>8}", "round", "ratio");
        Self { names: [theirs, ours], best: [0.0; 2], rounds: 0 }
    }

    fn round(&mut self, theirs: f64, ours: f64) {
        self.rounds += 1;
        self.best = [self.best[0].max(theirs), self.best[1].max(ours)];
        println!("{:>8}{theirs:>14.0}{ours:>14.0}{:>8.3}", self.rounds, ours / theirs);
    }

    /// Ours against theirs, each in its quickest round.
    fn ratio(&self) -> f64 {
        let ratio = self.best[1] / self.best[0];
        println!(
            "{:>8}{:>14.0}{:>14.0}{ratio:>8.3}   ({} against {})",
            "best", self.best[0], self.best[1], self.names[1], self.names[0]
        );
        ratio
    }
}
