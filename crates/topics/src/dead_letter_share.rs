//! How much of `dead-letters` the records of one key may take, so that one camera whose every key frame is unusable neither fills
//! the disk nor pushes the dead letters of others out of the topic.
//!
//! Records are kept whole until their key has used up its share. After that a dead letter only refers to its record, at most
//! once a minute, and says how many it stands for. Used shares grow back within a day.

use std::collections::HashMap;

use bytes::Bytes;
use vedette_core::{Span, Timestamp};

/// Most bytes of whole records of one key, and the least, which one record of any size has room in.
const SHARE: std::ops::RangeInclusive<u64> = 1 << 20..=8 << 20;
/// A key has this part of what the topic keeps.
const KEYS: u64 = 32;
/// What the topic keeps by default.
const TOPIC: u64 = 256 << 20;
/// How long a used-up share takes to grow back.
const GROWS_BACK: Span = Span::from_secs(86_400);
/// Shortest time between two references of a key.
const REFERENCE_EVERY: Span = Span::from_secs(60);
/// Keys that are told apart; further ones have one share together.
const MOST_KEYS: usize = 4_096;

/// The form in which a record is dead-lettered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// With its content.
    Whole,
    /// Without; the dead letter stands for this many records of the key.
    Reference {
        /// Since the key's previous dead letter, this one included.
        records: u64,
    },
    /// Not by itself: the key's next reference counts it.
    Counted,
}

/// The shares of all keys.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Of all keys: half of what the topic keeps.
    of_all: Share,
    /// Bytes of whole records of one key.
    of_key: u64,
    by_key: HashMap<(String, Bytes), OfKey>,
}

#[derive(Debug)]
struct OfKey {
    share: Share,
    referred: Option<Timestamp>,
    uncounted: u64,
}

/// A number of bytes that grows back with time.
#[derive(Debug, Clone, Copy)]
struct Share {
    most: u64,
    used: u64,
    at: Timestamp,
}

impl Share {
    const fn new(most: u64) -> Self {
        Self { most, used: 0, at: Timestamp::from_micros(0) }
    }

    fn grow(&mut self, now: Timestamp) {
        let passed = now.since(self.at).as_micros().clamp(0, GROWS_BACK.as_micros());
        let (most, passed, back) = (
            u128::from(self.most),
            u128::from(passed.unsigned_abs()),
            u128::from(GROWS_BACK.as_micros().unsigned_abs()),
        );
        let grown = u64::try_from(most * passed / back).unwrap_or(u64::MAX);
        // Too short a time for one byte counts with the next.
        if grown > 0 || now < self.at {
            self.used = self.used.saturating_sub(grown);
            self.at = now;
        }
    }

    const fn has(&self, bytes: u64) -> bool {
        self.used + bytes <= self.most
    }
}

impl Default for Shares {
    fn default() -> Self {
        let mut shares = Self { of_all: Share::new(0), of_key: 0, by_key: HashMap::new() };
        shares.limit(TOPIC);
        shares
    }
}

impl Shares {
    /// Shares of a topic that keeps so many bytes.
    pub(crate) fn limit(&mut self, topic: u64) {
        self.of_all.most = topic / 2;
        self.of_key = (topic / KEYS).clamp(*SHARE.start(), *SHARE.end());
    }

    /// The form for an unusable record of `bytes`, which is charged to its key.
    pub(crate) fn charge(&mut self, topic: &str, key: &Bytes, bytes: u64, now: Timestamp) -> Form {
        let place = self.place(topic, key, now);
        let Self { of_all, of_key: most, by_key } = self;
        let of_key =
            by_key.entry(place).or_insert_with(|| OfKey { share: Share::new(*most), referred: None, uncounted: 0 });
        of_key.share.most = *most;
        of_key.share.grow(now);
        of_all.grow(now);
        if of_key.share.has(bytes) && of_all.has(bytes) {
            of_key.share.used += bytes;
            of_all.used += bytes;
            return Form::Whole;
        }
        of_key.uncounted += 1;
        // A clock that was set back does not silence it.
        let due = |at: Timestamp| now.since(at) >= REFERENCE_EVERY || now < at;
        if !of_key.referred.is_none_or(due) {
            return Form::Counted;
        }
        of_key.referred = Some(now);
        Form::Reference { records: std::mem::take(&mut of_key.uncounted) }
    }

    fn place(&mut self, topic: &str, key: &Bytes, now: Timestamp) -> (String, Bytes) {
        let place = (topic.to_owned(), Bytes::copy_from_slice(key));
        if self.by_key.len() < MOST_KEYS || self.by_key.contains_key(&place) {
            return place;
        }
        self.by_key.retain(|_, of_key| {
            of_key.share.grow(now);
            of_key.share.used > 0 || of_key.uncounted > 0
        });
        if self.by_key.len() < MOST_KEYS { place } else { (topic.to_owned(), Bytes::new()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    const KEY_FRAME: u64 = 800_000;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros((1_900_000_000 + secs) * 1_000_000)
    }

    #[test]
    fn a_camera_keeps_the_first_whole_then_one_reference_a_minute_that_counts() {
        let mut shares = Shares::default();
        let (bad, good) = (Bytes::from_static(b"bad"), Bytes::from_static(b"good"));
        let mut whole = 0;
        let mut references = Vec::new();
        // Two a second for an hour.
        for number in 0..7_200 {
            match shares.charge("video", &bad, KEY_FRAME, at(number / 2)) {
                Form::Whole => whole += 1,
                Form::Reference { records } => references.push(records),
                Form::Counted => {}
            }
        }
        assert!((10..=11).contains(&whole), "{whole}");
        assert_eq!(references[0], 1, "the first one that is not whole is told at once");
        assert!((58..=60).contains(&references.len()), "{references:?}");
        assert!(references[1..].iter().all(|records| *records == 120), "{references:?}");
        assert_eq!(shares.charge("video", &good, KEY_FRAME, at(3_600)), Form::Whole, "others are not affected");
        assert_eq!(shares.charge("video", &bad, KEY_FRAME, at(3_600 + 86_400)), Form::Whole, "it grows back");
    }

    #[test]
    fn neither_many_keys_nor_a_clock_that_is_set_back_get_around_it() {
        let mut shares = Shares::default();
        let mut bytes = 0;
        for number in 0..20_000_u32 {
            let key = Bytes::from(number.to_string());
            if shares.charge("video", &key, KEY_FRAME, at(i64::from(number) % 60)) == Form::Whole {
                bytes += KEY_FRAME;
            }
        }
        // The clock runs for five and a half hours, in minutes that repeat.
        assert!(bytes <= TOPIC / 2 + TOPIC / 6, "{bytes}");
        assert!(shares.by_key.len() <= MOST_KEYS + 1);
        let mut shares = Shares::default();
        let key = Bytes::from_static(b"gate");
        while shares.charge("video", &key, KEY_FRAME, at(1_000_000)) == Form::Whole {}
        let back = shares.charge("video", &key, KEY_FRAME, at(0));
        assert_eq!(back, Form::Reference { records: 1 });
        assert_eq!(shares.charge("video", &key, u64::MAX / 2, at(1)), Form::Counted);
    }

    #[test]
    fn a_smaller_topic_has_smaller_shares() {
        let whole = |topic: u64, days: i64| {
            let mut shares = Shares::default();
            shares.limit(topic);
            let key = Bytes::from_static(b"bad");
            // One every ten seconds.
            let forms = (0..days * 8_640).map(|number| shares.charge("video", &key, KEY_FRAME, at(number * 10)));
            KEY_FRAME * forms.filter(|form| *form == Form::Whole).count() as u64
        };
        for topic in [16 << 20, 64 << 20, TOPIC, TOPIC << 4] {
            let bytes = whole(topic, 14);
            assert!((1..topic).contains(&bytes), "{bytes} of {topic}: others have no room");
        }
    }
}
