//! Random numbers, the same on every machine.

/// Purpose of the numbers: each has a separate stream, so that drawing more for one changes none of the others.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Stream {
    Division = 1,
    Cuts,
    Block,
    Building,
    Units,
    Aliases,
    WorkGrids,
    WarpEast,
    WarpNorth,
}

/// SplitMix64 (Steele, Lea and Flood 2014): integers only, so the results do not depend on a platform's rounding.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Dice {
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        Self(mix(mix(seed ^ (stream as u64).wrapping_mul(STEP)).wrapping_add(index.wrapping_mul(STEP))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// 0 to `n` - 1; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        // The upper half of the product; its bias of n / 2^32 does not matter here.
        ((u64::from((self.next() >> 32) as u32) * u64::from(n)) >> 32) as u32
    }

    /// `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// 0 to 1, excluding 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// An index drawn with probability proportional to `weights`.
    pub(crate) fn weighted<const N: usize>(&mut self, weights: &[u32; N]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        N - 1
    }
}

/// -1 to 1, determined by a position.
pub(crate) fn field(seed: u64, stream: Stream, x: i64, y: i64) -> f64 {
    let key = mix(x as u64 ^ mix((y as u64).wrapping_add(STEP)));
    2.0 * Dice::new(seed, stream, key).share() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_every_other_machine() {
        let mut dice = Dice::new(1, Stream::Block, 7);
        assert_eq!([dice.next(), dice.next()], [1_026_345_798_429_211_911, 14_819_098_575_930_528_018]);
    }

    #[test]
    fn numbers_stay_in_their_bounds() {
        let mut dice = Dice::new(3, Stream::Units, 0);
        for _ in 0..10_000 {
            assert!(dice.below(7) < 7);
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!((0.0..1.0).contains(&dice.share()));
            assert!(dice.weighted(&[1, 0, 3]) != 1);
        }
    }
}
