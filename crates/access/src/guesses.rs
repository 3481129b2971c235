use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use vedette_core::{Span, Timestamp};

use crate::name::Name;

/// Failures of an account that cost nothing, and those of an address, behind which many people may be.
const FREE: [u32; 2] = [4, 20];
/// The wait after the first failure beyond; it doubles with each.
const FIRST: Span = Span::from_secs(1);
/// The longest wait: of an account, so that nobody is locked out for long by others, and of an address.
const LONGEST: [Span; 2] = [Span::from_secs(60), Span::from_secs(300)];
/// Failures are forgotten when there were none for so long.
const FORGOTTEN: Span = Span::from_secs(3_600);
/// Most accounts and most addresses that are remembered.
const MOST: usize = 16_384;

/// Failed logins, and the waits that they cost: per account and per address.
#[derive(Debug, Default)]
pub struct Guesses {
    accounts: HashMap<Name, Failures>,
    addresses: HashMap<IpAddr, Failures>,
}

/// How long the next try has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits(pub Span);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Guesses {
    /// Whether a try is due now. A name that no account can have is none: it costs the address only.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn check(&mut self, account: Option<&Name>, address: IpAddr, now: Timestamp) -> Result<(), Waits> {
        let of_account = account.and_then(|name| self.accounts.get_mut(name)).map(|failures| failures.wait(0, now));
        let of_address = self.addresses.get_mut(&network(address)).map(|failures| failures.wait(1, now));
        let wait = of_account.into_iter().chain(of_address).max().unwrap_or(Span::ZERO);
        if wait > Span::ZERO { Err(Waits(wait)) } else { Ok(()) }
    }

    /// A try failed. Count it before the password is verified and take it back after success, so that tries at once all count.
    pub fn failed(&mut self, account: Option<&Name>, address: IpAddr, now: Timestamp) {
        if let Some(name) = account {
            count(&mut self.accounts, name.clone(), now);
        }
        count(&mut self.addresses, network(address), now);
    }

    /// The try that was counted last was none: the password was right.
    pub fn passed(&mut self, account: &Name, address: IpAddr) {
        self.accounts.remove(account);
        if let Some(failures) = self.addresses.get_mut(&network(address)) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

impl Failures {
    fn wait(&mut self, of: usize, now: Timestamp) -> Span {
        // A clock that was set back makes nobody wait for longer.
        self.last = self.last.min(now);
        if self.count < FREE[of] || self.is_forgotten(now) {
            return Span::ZERO;
        }
        let doubled = FIRST.as_micros().saturating_mul(1 << (self.count - FREE[of]).min(20));
        let due = self.last + Span::from_micros(doubled).min(LONGEST[of]);
        due.since(now).max(Span::ZERO)
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.since(self.last) > FORGOTTEN
    }
}

fn count<K: std::hash::Hash + Eq + Clone>(held: &mut HashMap<K, Failures>, key: K, now: Timestamp) {
    if held.len() >= MOST && !held.contains_key(&key) {
        held.retain(|_, failures| !failures.is_forgotten(now));
        // Full of fresh ones: the one with the fewest failures goes, so that a flood of new keys does not free an old one.
        if held.len() >= MOST {
            let least = held.iter().min_by_key(|(_, failures)| (failures.count, failures.last));
            if let Some(key) = least.map(|(key, _)| key.clone()) {
                held.remove(&key);
            }
        }
    }
    let failures = held.entry(key).or_insert(Failures { count: 0, last: now });
    if failures.is_forgotten(now) {
        failures.count = 0;
    }
    *failures = Failures { count: failures.count.saturating_add(1), last: now };
}

/// An IPv4 address, or an IPv6 network of 64 bits: one client has all of that.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn each_failure_beyond_four_doubles_the_wait_of_the_account() {
        let (mut guesses, anna, here) = (Guesses::default(), name("anna"), IpAddr::from([10, 0, 0, 1]));
        for expected in [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = guesses.check(Some(&anna), here, at(0)).map_or_else(|Waits(wait)| wait, |()| Span::ZERO);
            assert_eq!(wait, Span::from_secs(expected));
            guesses.failed(Some(&anna), here, at(0));
        }
        // From anywhere, but for this account only, and not for ever.
        assert!(guesses.check(Some(&anna), IpAddr::from([10, 0, 0, 2]), at(0)).is_err());
        assert!(guesses.check(Some(&name("berta")), here, at(0)).is_ok());
        assert!(guesses.check(Some(&anna), here, at(60)).is_ok());
        guesses.passed(&anna, here);
        assert!(guesses.check(Some(&anna), here, at(0)).is_ok());
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits_for_all() {
        let mut guesses = Guesses::default();
        let there: IpAddr = "2001:db8::1".parse().unwrap();
        for number in 0..21 {
            guesses.failed(Some(&name(&format!("a{number}"))), there, at(0));
        }
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert_eq!(guesses.check(Some(&name("anna")), neighbour, at(0)), Err(Waits(Span::from_secs(2))));
        assert!(guesses.check(Some(&name("anna")), "2001:db8:0:1::1".parse().unwrap(), at(0)).is_ok());
        assert!(guesses.check(Some(&name("anna")), there, at(3_601)).is_ok());
    }

    #[test]
    fn a_flood_of_names_neither_grows_without_bound_nor_frees_an_account() {
        let (mut guesses, anna) = (Guesses::default(), name("anna"));
        (0..8).for_each(|_| guesses.failed(Some(&anna), IpAddr::from([10, 0, 0, 1]), at(0)));
        for number in 0..(MOST + 100) as u32 {
            guesses.failed(Some(&name(&format!("a{number}"))), IpAddr::V4(number.into()), at(1));
        }
        assert_eq!((guesses.accounts.len(), guesses.addresses.len()), (MOST, MOST));
        assert!(guesses.check(Some(&anna), IpAddr::from([192, 0, 2, 1]), at(1)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let (mut guesses, anna, here) = (Guesses::default(), name("anna"), IpAddr::from([10, 0, 0, 1]));
        (0..8).for_each(|_| guesses.failed(Some(&anna), here, at(0)));
        assert_eq!(guesses.check(Some(&anna), here, at(-86_400)), Err(Waits(Span::from_secs(16))));
        assert_eq!(guesses.check(Some(&anna), here, at(-86_390)), Err(Waits(Span::from_secs(6))));
        assert!(guesses.check(Some(&anna), here, at(-86_384)).is_ok());
    }

    #[test]
    fn what_is_no_name_costs_the_address() {
        let (mut guesses, here) = (Guesses::default(), IpAddr::from([10, 0, 0, 1]));
        (0..22).for_each(|_| guesses.failed(None, here, at(0)));
        assert_eq!(guesses.check(None, here, at(0)), Err(Waits(Span::from_secs(4))));
        assert!(guesses.check(Some(&name("anna")), here, at(0)).is_err());
        assert!(guesses.check(None, IpAddr::from([10, 0, 0, 2]), at(0)).is_ok());
    }
}
