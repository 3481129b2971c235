use std::time::Duration;

/// Exponential back-off with jitter: waits double from `min` to `max`, each shortened by up to a quarter.
///
/// The jitter is derived from the seed and the attempt, so that clients that failed together do not retry together, and so that
/// a run with the same seeds is reproducible.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    seed: u64,
    attempt: u32,
}

impl Backoff {
    /// Waits between three quarters of `min` and `max`; `seed` names the client, for example by its camera.
    #[must_use]
    pub fn new(min: Duration, max: Duration, seed: &str) -> Self {
        // FNV-1a: any well-distributed hash that is the same in every build works.
        let seed = seed
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { min, max: max.max(min), seed, attempt: 0 }
    }

    /// The wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.attempt.min(31));
        let full = self.min.saturating_mul(factor).min(self.max);
        // SplitMix64 of seed and attempt.
        let mut mixed = self.seed.wrapping_add(u64::from(self.attempt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((mixed >> 40) as f64) / ((1_u64 << 24) as f64);
        self.attempt = self.attempt.saturating_add(1).min(1 << 20);
        full.mul_f64(1.0 - share / 4.0)
    }

    /// An attempt succeeded: the next wait restarts at the minimum.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(30);

    #[test]
    fn waits_grow_to_the_limit_and_start_again() {
        let mut backoff = Backoff::new(MIN, MAX, "gate");
        let waits: Vec<_> = (0..40).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= MIN && waits[0] >= MIN.mul_f64(0.75));
        assert!(waits[3] > waits[0] * 4);
        assert!(waits[39] <= MAX && waits[39] >= MAX.mul_f64(0.75));
        backoff.reset();
        assert_eq!(backoff.next_wait(), waits[0]);
    }

    #[test]
    fn cameras_wait_differently_and_always_the_same() {
        let first = |id| Backoff::new(MIN, MAX, id).next_wait();
        assert_eq!(first("gate-1"), first("gate-1"));
        assert_ne!(first("gate-1"), first("gate-2"));
    }
}
