use std::time::Duration;

use vedette_bus::BusError;
use vedette_core::{LARGEST_CHANGE, Owner, Refusal, Timestamp};

/// How long live workers have for their answer.
pub(super) const ANSWERS: Duration = Duration::from_secs(5);

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It is what is in force already.
    #[error("nothing in it differs from what is in force")]
    Nothing,
    /// It cannot be applied to some cameras.
    #[error("it cannot be applied to {} of the cameras", refusals.len())]
    Refused {
        /// The first reasons.
        refusals: Vec<Refusal>,
        /// How many others there are.
        more: u32,
        /// The worker that refused; none when no worker was asked.
        worker: Option<String>,
    },
    /// Another version came first.
    #[error("{of} has changed: a version of {author} is in force from {from}")]
    Stale {
        /// The policy.
        of: String,
        /// Who made the newest version.
        author: String,
        /// When it is effective.
        from: Timestamp,
    },
    /// It is edited elsewhere.
    #[error("{of} is kept in the {}", place(*owner))]
    KeptElsewhere {
        /// The camera or policy.
        of: String,
        /// Where it is edited.
        owner: Owner,
    },
    /// Its record would be too large.
    #[error("it takes {bytes} bytes, and a record of the bus holds {LARGEST_CHANGE}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Live workers did not answer in time.
    #[error("no answer within {} s of the workers {}", ANSWERS.as_secs(), workers.join(", "))]
    NoAnswer {
        /// Their names.
        workers: Vec<String>,
    },
    /// A worker no longer waits.
    #[error("the worker {worker} has waited too long for a decision")]
    Overdue {
        /// Its name.
        worker: String,
    },
    /// A worker, or the next console, decided against it first.
    #[error("it was aborted: {reason}")]
    Aborted {
        /// Why.
        reason: String,
    },
    /// The decision is not known yet.
    #[error("the topic `changes` was not read within {} s, so it is not known whether it is in force", ANSWERS.as_secs())]
    Unsettled,
    /// The bus refused.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A task failed.
    #[error("checking the change")]
    Task(#[from] tokio::task::JoinError),
}

const fn place(owner: Owner) -> &'static str {
    match owner {
        Owner::File => "configuration files",
        Owner::Console => "console",
    }
}
