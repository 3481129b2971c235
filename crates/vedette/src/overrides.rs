//! Path of the configuration, and overrides by the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vedette_topics::BusKind;

use crate::config::Config;

/// Path of the configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Settings file.
    #[arg(short, long, default_value = "vedette.toml", env = "VEDETTE_CONFIG")]
    pub config: PathBuf,
}

/// Settings that the command line may override.
#[derive(Debug, Clone, Args, Default)]
pub struct Overrides {
    /// Use this bus instead of the configured one.
    #[arg(long, value_enum)]
    pub bus: Option<BusChoice>,
    /// Kafka brokers, `host:port` separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT,..", env = "VEDETTE_BROKERS")]
    pub brokers: Vec<String>,
    /// Address and port of the page and the API.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Address and port of /healthz, /readyz and /metrics of this process.
    #[arg(long, value_name = "LISTEN")]
    pub operations_listen: Option<SocketAddr>,
}

/// The bus.
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

impl Overrides {
    /// Applies the overrides.
    pub fn apply(&self, config: &mut Config) {
        if let Some(kind) = self.bus {
            config.settings.bus.kind = kind.into();
        }
        // An empty variable counts as unset.
        if self.brokers.iter().any(|broker| !broker.is_empty()) {
            config.settings.bus.kafka.brokers.clone_from(&self.brokers);
        }
        if let Some(listen) = self.listen {
            config.settings.console.listen = listen;
        }
        if self.operations_listen.is_some() {
            config.settings.operations.listen = self.operations_listen;
        }
    }
}
