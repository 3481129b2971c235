use std::collections::HashMap;
use std::net::IpAddr;

use openidconnect::{CsrfToken, Nonce, PkceCodeVerifier};
use vedette_core::{Span, Timestamp};

use crate::return_to::ReturnTo;

/// A login takes no longer.
const LONGEST: Span = Span::from_secs(600);
/// Most logins that have begun: of one client, and of all.
const MOST_OF_CLIENT: usize = 32;
const MOST: usize = 10_000;

/// A login that has begun.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) state: CsrfToken,
    pub(crate) nonce: Nonce,
    pub(crate) verifier: PkceCodeVerifier,
    pub(crate) return_to: ReturnTo,
    pub(crate) from: IpAddr,
    pub(crate) began: Timestamp,
}

/// The logins that have begun, by the keys that their browsers hold. A client in excess of its share loses its own oldest ones, so that
/// nobody else's login fails for it.
#[derive(Debug, Default)]
pub(crate) struct PendingLogins(HashMap<String, Pending>);

impl PendingLogins {
    pub(crate) fn put(&mut self, key: String, pending: Pending) {
        let now = pending.began;
        self.0.retain(|_, held| held.is_live(now));
        let of_client = self.0.values().filter(|held| held.from == pending.from).count();
        if of_client >= MOST_OF_CLIENT {
            self.drop_oldest(|held| held.from == pending.from);
        } else if self.0.len() >= MOST {
            self.drop_oldest(|_| true);
        }
        self.0.insert(key, pending);
    }

    /// The login with that key, for the only time.
    pub(crate) fn take(&mut self, key: &str, now: Timestamp) -> Option<Pending> {
        self.0.remove(key).filter(|held| held.is_live(now))
    }

    fn drop_oldest(&mut self, among: impl Fn(&Pending) -> bool) {
        let oldest = self.0.iter().filter(|(_, held)| among(held)).min_by_key(|(_, held)| held.began);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.0.remove(&key);
        }
    }
}

impl Pending {
    fn is_live(&self, now: Timestamp) -> bool {
        (Span::ZERO..LONGEST).contains(&now.since(self.began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(client: u32, second: i64) -> Pending {
        Pending {
            state: CsrfToken::new("state".into()),
            nonce: Nonce::new("nonce".into()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
            return_to: ReturnTo::page(),
            from: IpAddr::V4(client.into()),
            began: Timestamp::from_micros(second * 1_000_000),
        }
    }

    #[test]
    fn a_login_is_taken_once_and_within_ten_minutes() {
        let mut held = PendingLogins::default();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        for key in ["a", "b", "c"] {
            held.put(key.into(), pending(1, 0));
        }
        assert!(held.take("a", at(599)).is_some() && held.take("a", at(599)).is_none());
        assert!(held.take("b", at(600)).is_none());
        assert!(held.take("c", at(-1)).is_none(), "begun in the future");
        assert!(held.take("d", at(0)).is_none());
    }

    #[test]
    fn a_client_with_many_displaces_its_own_and_the_rest_is_bounded() {
        let mut held = PendingLogins::default();
        held.put("other".into(), pending(1, 0));
        for number in 0..1_000 {
            held.put(format!("flood-{number}"), pending(2, number / 100));
        }
        assert_eq!(held.0.len(), MOST_OF_CLIENT + 1);
        assert!(held.0.contains_key("other") && held.0.contains_key("flood-999"));
        for client in 0..11_000 {
            held.put(format!("client-{client}"), pending(10 + client, 20));
        }
        assert_eq!(held.0.len(), MOST);
    }
}
