use crate::Timestamp;

/// Values by the capture time from which they are effective: at any time the newest that is effective is in force. Insertion order
/// does not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline<T> {
    /// By instant, each once. None is before every instant.
    entries: Vec<(Option<Timestamp>, T)>,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<T> Timeline<T> {
    /// `first` is effective from the beginning of time.
    #[must_use]
    pub fn new(first: Option<T>) -> Self {
        Self { entries: first.into_iter().map(|first| (None, first)).collect() }
    }

    /// Sets the value effective from `moment` on, replacing any earlier one for the same instant.
    pub fn set(&mut self, moment: Timestamp, value: T) -> Option<T> {
        self.set_from(Some(moment), value)
    }

    /// The same, or with none for `from`, from the beginning of time on.
    pub fn set_from(&mut self, from: Option<Timestamp>, value: T) -> Option<T> {
        match self.entries.binary_search_by_key(&from, |(from, _)| *from) {
            Ok(index) => Some(std::mem::replace(&mut self.entries[index].1, value)),
            Err(index) => {
                self.entries.insert(index, (from, value));
                None
            }
        }
    }

    /// Removes the value set for `moment`.
    pub fn remove(&mut self, moment: Timestamp) -> Option<T> {
        let index = self.entries.binary_search_by_key(&Some(moment), |(from, _)| *from).ok()?;
        Some(self.entries.remove(index).1)
    }

    /// The value in force at `moment`.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> Option<&T> {
        self.until(moment).next_back()
    }

    /// The values in force at `moment` or before, oldest first.
    pub fn until(&self, moment: Timestamp) -> impl DoubleEndedIterator<Item = &T> {
        let after = self.entries.partition_point(|(from, _)| *from <= Some(moment));
        self.entries[..after].iter().map(|(_, value)| value)
    }

    /// The times after `moment` from which other values are in force.
    pub fn after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.entries.iter().filter_map(|(from, _)| *from).filter(move |from| *from > moment)
    }

    /// The value that is in force last.
    #[must_use]
    pub fn newest(&self) -> Option<&T> {
        self.entries.last().map(|(_, value)| value)
    }

    /// Whether it has no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Removes and returns the values expired by `moment`, oldest first. The one in force at `moment` stays.
    pub fn forget_before(&mut self, moment: Timestamp) -> Vec<(Option<Timestamp>, T)> {
        let over = self.entries.partition_point(|(from, _)| *from <= Some(moment)).saturating_sub(1);
        self.entries.drain(..over).collect()
    }

    /// From `from` up to `until` the value that was in force just before stays in force.
    pub fn hold(&mut self, from: Timestamp, until: Timestamp)
    where
        T: Clone,
    {
        let first = self.entries.partition_point(|(start, _)| *start < Some(from));
        let after = self.entries.partition_point(|(start, _)| *start < Some(until));
        let held = self.entries.drain(first..after.max(first)).next_back();
        let starts = self.entries.get(first).is_some_and(|(start, _)| *start == Some(until));
        if let Some((_, value)) = held.filter(|_| !starts) {
            self.entries.insert(first, (Some(until), value));
        }
    }

    /// All values, oldest first, each with its instant (none: from the beginning).
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Option<Timestamp>, &T)> {
        self.entries.iter().map(|(from, value)| (*from, value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_holds_stays() {
        let mut timeline = Timeline::new(Some("first"));
        for (moment, value) in [(30, "c"), (10, "a"), (20, "b")] {
            assert_eq!(timeline.set(at(moment), value), None);
        }
        assert_eq!(timeline.set(at(20), "B"), Some("b"));
        assert_eq!(timeline.forget_before(at(25)), [(None, "first"), (Some(at(10)), "a")]);
        assert_eq!((timeline.at(at(15)), timeline.at(at(25)), timeline.at(at(30))), (None, Some(&"B"), Some(&"c")));
        assert_eq!(timeline.remove(at(30)), Some("c"));
        assert_eq!((timeline.remove(at(30)), timeline.at(at(99))), (None, Some(&"B")));
        assert!(timeline.forget_before(at(5)).is_empty());
    }

    #[test]
    fn a_held_value_stays_in_force_for_a_while() {
        let held = |from, until| {
            let mut timeline = Timeline::new(Some(0));
            for (moment, value) in [(10, 1), (20, 2), (30, 3)] {
                timeline.set(at(moment), value);
            }
            timeline.hold(at(from), at(until));
            [5, 12, 15, 17, 22, 27, 35].map(|moment| *timeline.at(at(moment)).unwrap())
        };
        assert_eq!(held(10, 16), [0, 0, 0, 1, 2, 2, 3]);
        assert_eq!(held(10, 25), [0, 0, 0, 0, 0, 2, 3]);
        assert_eq!(held(10, 30), [0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(held(12, 18), [0, 1, 1, 1, 2, 2, 3], "nothing changes in the span");
        assert_eq!(held(40, 10), [0, 1, 1, 1, 2, 2, 3], "an empty span");
    }

    proptest! {
        #[test]
        fn the_newest_whose_moment_has_come_holds_whatever_the_order_of_arrival(
            (given, shuffled) in prop::collection::btree_map(-50..50_i64, any::<u16>(), 0..12).prop_flat_map(|given| {
                let list: Vec<_> = given.clone().into_iter().collect();
                (Just(given), Just(list).prop_shuffle())
            }),
            first in any::<Option<u16>>(),
            asked in -60..60_i64,
            horizon in -60..60_i64,
        ) {
            let mut timeline = Timeline::new(first);
            for (moment, value) in &shuffled {
                timeline.set(at(*moment), *value);
            }
            let expected = given.range(..=asked).next_back().map(|(_, value)| *value).or(first);
            prop_assert_eq!(timeline.at(at(asked)).copied(), expected);
            // Forgetting changes nothing from the horizon on.
            timeline.forget_before(at(horizon));
            if asked >= horizon {
                prop_assert_eq!(timeline.at(at(asked)).copied(), expected);
            }
        }
    }
}
