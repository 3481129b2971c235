use std::collections::HashMap;

use vedette_core::Timestamp;

/// Most tokens that are remembered.
const MOST: usize = 10_000;

/// Logout tokens that were used, by `jti`, until they expire. Only tokens with the provider's signature come here.
#[derive(Debug, Default)]
pub(crate) struct Replays(HashMap<String, Timestamp>);

impl Replays {
    /// Notes a token; returns whether it is new.
    pub(crate) fn note(&mut self, jti: &str, expires: Timestamp, now: Timestamp) -> bool {
        if self.0.contains_key(jti) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, expires| *expires > now);
        }
        if self.0.len() >= MOST {
            let first = self.0.iter().min_by_key(|(_, expires)| **expires).map(|(jti, _)| jti.clone());
            first.map(|jti| self.0.remove(&jti));
        }
        self.0.insert(jti.to_owned(), expires);
        true
    }

    /// Forgets a token that had no effect, so that the provider can send it again.
    pub(crate) fn forget(&mut self, jti: &str) {
        self.0.remove(jti);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_once_and_the_memory_is_bounded() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut replays = Replays::default();
        assert!(replays.note("a", at(100_000), at(0)) && !replays.note("a", at(100_000), at(1)));
        replays.forget("a");
        assert!(replays.note("a", at(100_000), at(2)));
        for number in 0..20_000_i64 {
            assert!(replays.note(&number.to_string(), at(60 + number), at(0)));
        }
        assert_eq!(replays.0.len(), MOST);
        assert!(!replays.note("19999", at(0), at(0)) && !replays.note("a", at(0), at(0)));
    }
}
