/// A matrix of numbers, row after row.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    pub(crate) fn from_fn(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let mut matrix = Self::zeros(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                *matrix.at_mut(row, column) = value(row, column);
            }
        }
        matrix
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub(crate) fn at_mut(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.values[row * self.columns + column]
    }
}

/// The one-to-one pairs `(row, column)` of minimum total cost, as many as the shorter side has, by rising row. Shortest augmenting
/// paths with potentials (Kuhn 1955, Munkres 1957): terminates for any finite costs.
pub(crate) fn least_cost(costs: &Matrix) -> Vec<(usize, usize)> {
    if costs.rows > costs.columns {
        let turned = Matrix::from_fn(costs.columns, costs.rows, |row, column| costs.at(column, row));
        let mut pairs: Vec<_> = least_cost(&turned).into_iter().map(|(row, column)| (column, row)).collect();
        pairs.sort_unstable();
        return pairs;
    }
    let (rows, columns) = (costs.rows, costs.columns);
    // Row and column 0 are a sentinel of the algorithm: counting starts at 1.
    let (mut row_price, mut column_price) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0_usize; columns + 1];
    let mut came_from = vec![0_usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut used = vec![false; columns + 1];
        loop {
            used[column] = true;
            let here = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for other in 1..=columns {
                if used[other] {
                    continue;
                }
                let reduced = costs.at(here - 1, other - 1) - row_price[here] - column_price[other];
                if reduced < least[other] {
                    least[other] = reduced;
                    came_from[other] = column;
                }
                if least[other] < step {
                    (step, next) = (least[other], other);
                }
            }
            for other in 0..=columns {
                if used[other] {
                    row_price[row_of[other]] += step;
                    column_price[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
            if row_of[column] == 0 {
                break;
            }
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut pairs: Vec<_> =
        (1..=columns).filter(|column| row_of[*column] != 0).map(|column| (row_of[column] - 1, column - 1)).collect();
    pairs.sort_unstable();
    pairs
}

/// The pairs of maximum total gain.
pub(crate) fn greatest_gain(gains: &Matrix) -> Vec<(usize, usize)> {
    least_cost(&Matrix::from_fn(gains.rows, gains.columns, |row, column| -gains.at(row, column)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(costs: &Matrix, row: usize, used: u32, skips: usize) -> f64 {
        if row == costs.rows {
            return 0.0;
        }
        let mut least = if skips > 0 { best(costs, row + 1, used, skips - 1) } else { f64::INFINITY };
        for column in 0..costs.columns {
            if used & (1 << column) == 0 {
                least = least.min(costs.at(row, column) + best(costs, row + 1, used | (1 << column), skips));
            }
        }
        least
    }

    proptest! {
        #[test]
        fn total_is_the_least_there_is(rows in 1_usize..6, columns in 1_usize..6, values in prop::collection::vec(-5.0_f64..5.0, 36)) {
            let costs = Matrix::from_fn(rows, columns, |row, column| values[row * 6 + column]);
            let pairs = least_cost(&costs);
            prop_assert_eq!(pairs.len(), rows.min(columns));
            let total: f64 = pairs.iter().map(|(row, column)| costs.at(*row, *column)).sum();
            prop_assert!((total - best(&costs, 0, 0, rows.saturating_sub(columns))).abs() < 1e-9);
            prop_assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
