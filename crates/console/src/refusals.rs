//! Refused requests and closed connections: each counted, and logged at first and then as a count a minute, so that a flood of them
//! does not fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// Interval of the counts in the log.
const EVERY: Duration = Duration::from_secs(60);

/// Why a request was refused, or a connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Refusal {
    Host,
    CrossSite,
    Body,
    SlowBody,
    SlowHeaders,
    Stalled,
    Connections,
    ConnectionsOfClient,
    Streams,
    StreamsOfClient,
    Accept,
}

impl Refusal {
    const COUNT: usize = Self::Accept as usize + 1;
    const ALL: [Self; Self::COUNT] = [
        Self::Host,
        Self::CrossSite,
        Self::Body,
        Self::SlowBody,
        Self::SlowHeaders,
        Self::Stalled,
        Self::Connections,
        Self::ConnectionsOfClient,
        Self::Streams,
        Self::StreamsOfClient,
        Self::Accept,
    ];

    /// The value of the metric's label.
    const fn label(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::CrossSite => "cross_site",
            Self::Body => "body",
            Self::SlowBody => "slow_body",
            Self::SlowHeaders => "slow_headers",
            Self::Stalled => "stalled",
            Self::Connections => "connections",
            Self::ConnectionsOfClient => "connections_of_client",
            Self::Streams => "streams",
            Self::StreamsOfClient => "streams_of_client",
            Self::Accept => "accept",
        }
    }

    /// What happened, for the log.
    const fn event(self) -> &'static str {
        match self {
            Self::Host => "a request under an unknown host was refused: add the name to console.hosts if it is yours",
            Self::CrossSite => "a request of another site's page was refused",
            Self::Body => "a request with too large a body was refused",
            Self::SlowBody => "a request whose body came too slowly was refused",
            Self::SlowHeaders => "a connection that sent no whole request in time was closed",
            Self::Stalled => "a connection whose client did not read was closed",
            Self::Connections => {
                "the most connections are open: the oldest idle one was closed, or the new one refused"
            }
            Self::ConnectionsOfClient => {
                "the most connections of one client are open: its oldest idle one was closed, or the new one refused"
            }
            Self::Streams => "a live stream was refused: the most are open",
            Self::StreamsOfClient => "a live stream was refused: the most of one client are open",
            Self::Accept => "a connection could not be accepted",
        }
    }
}

/// The log of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Kept {
    /// Whether one was logged since the last quiet minute.
    told: bool,
    /// Those not logged yet.
    untold: u64,
}

/// Counts and logs refusals.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<[Kept; Refusal::COUNT]>);

impl Refusals {
    /// Counts one. `about` says more, for the log: the client, the host.
    pub(crate) fn note(&self, refusal: Refusal, about: &dyn std::fmt::Display) {
        metrics::REFUSED.with([refusal.label()]).increment(1);
        if self.is_first(refusal) {
            // What a client sent is escaped, so that it forges no line of the log.
            let about = vedette_core::printable(&about.to_string()).into_owned();
            tracing::warn!(reason = refusal.label(), about, "{}", refusal.event());
        }
    }

    fn is_first(&self, refusal: Refusal) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut all[refusal as usize];
        let first = !std::mem::replace(&mut kept.told, true);
        kept.untold += u64::from(!first);
        first
    }

    /// Ends a minute: the kinds with refusals that were not logged, and how many.
    fn end_minute(&self) -> Vec<(Refusal, u64)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut more = Vec::new();
        for (kept, refusal) in all.iter_mut().zip(Refusal::ALL) {
            match std::mem::take(&mut kept.untold) {
                0 => kept.told = false,
                untold => more.push((refusal, untold)),
            }
        }
        more
    }

    /// Logs the counts until `stop`.
    pub(crate) async fn keep_log(&self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            for (refusal, count) in self.end_minute() {
                tracing::warn!(
                    reason = refusal.label(),
                    count,
                    "in the last minute, further ones: {}",
                    refusal.event()
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_as_a_count() {
        let refusals = Refusals::default();
        assert!(refusals.is_first(Refusal::Host));
        assert!(!refusals.is_first(Refusal::Host) && !refusals.is_first(Refusal::Host));
        assert!(refusals.is_first(Refusal::Streams), "each kind has its own");
        assert_eq!(refusals.end_minute(), [(Refusal::Host, 2)]);
        assert!(!refusals.is_first(Refusal::Host), "it goes on");
        assert_eq!(refusals.end_minute(), [(Refusal::Host, 1)]);
        assert!(refusals.end_minute().is_empty());
        assert!(refusals.is_first(Refusal::Host), "after a quiet minute it is new");
    }

    #[test]
    fn every_kind_has_its_own_label() {
        let labels: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|it| it.label()).collect();
        assert_eq!(labels.len(), Refusal::COUNT);
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index);
        }
    }
}
