//! Distributes a whole number by weights.

/// Distributes `total` by `weights`, at least `least` and at most `most` each; the sum is `total` whenever the bounds allow it. The
/// remainder goes to the largest fractions, on a tie to the first.
pub(crate) fn share_out(total: u64, weights: &[u64], least: u64, most: u64) -> Vec<u64> {
    let mut shares = vec![least; weights.len()];
    let mut left = total.saturating_sub(least * weights.len() as u64);
    // Each round distributes to the members below `most`; most cases need one.
    while left > 0 {
        let open: Vec<usize> = (0..weights.len()).filter(|index| shares[*index] < most).collect();
        if open.is_empty() {
            break;
        }
        let sum: u128 = open.iter().map(|index| u128::from(weights[*index].max(1))).sum();
        let mut remainders: Vec<(u128, usize)> = Vec::with_capacity(open.len());
        let round = left;
        for index in open {
            let exact = u128::from(round) * u128::from(weights[index].max(1));
            let given = ((exact / sum) as u64).min(most - shares[index]);
            shares[index] += given;
            left -= given;
            remainders.push((exact % sum, index));
        }
        remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, index) in remainders {
            if left > 0 && shares[index] < most {
                shares[index] += 1;
                left -= 1;
            }
        }
    }
    shares
}

/// Distributes `total` over a stream of weights without storing them: the results for all weights of sum `sum` add up to `total`.
#[derive(Debug)]
pub(crate) struct Running {
    total: u128,
    sum: u128,
    seen: u128,
}

impl Running {
    pub(crate) fn new(total: u64, sum: u64) -> Self {
        Self { total: u128::from(total), sum: u128::from(sum.max(1)), seen: 0 }
    }

    pub(crate) fn next(&mut self, weight: u64) -> u64 {
        let before = self.seen * self.total / self.sum;
        self.seen += u128::from(weight);
        (self.seen * self.total / self.sum - before) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_and_keep_their_bounds(
            weights in prop::collection::vec(0_u64..1000, 1..50), each in 0_u64..99, more in 0_u64..40,
        ) {
            let n = weights.len() as u64;
            let total = (each * n + more).min(99 * n);
            let least = each.min(1);
            let shares = share_out(total, &weights, least, 99);
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            prop_assert!(shares.iter().all(|share| (least..=99).contains(share)));
        }

        #[test]
        fn running_shares_add_up(weights in prop::collection::vec(0_u64..1000, 1..50), total in 0_u64..1_000_000) {
            let sum: u64 = weights.iter().sum();
            prop_assume!(sum > 0);
            let mut running = Running::new(total, sum);
            prop_assert_eq!(weights.iter().map(|weight| running.next(*weight)).sum::<u64>(), total);
        }
    }
}
