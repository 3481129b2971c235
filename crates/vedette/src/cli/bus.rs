use clap::ValueEnum;
use vedette_topics::BusKind;

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BusChoice {
    /// A durable log inside this process.
    Embedded,
    /// Apache Kafka.
    Kafka,
}

impl From<BusChoice> for BusKind {
    fn from(choice: BusChoice) -> Self {
        match choice {
            BusChoice::Embedded => Self::Embedded,
            BusChoice::Kafka => Self::Kafka,
        }
    }
}
