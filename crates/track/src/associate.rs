/// A candidate pair.
#[derive(Debug, Clone, Copy)]
struct Edge {
    left: u32,
    right: u32,
    /// Similarity in parts of [`UNIT`]: integers keep the solver exact, so it always ends and ties break deterministically.
    gain: u32,
}

const UNIT: f32 = 1_048_576.0;
const NONE: u32 = u32::MAX;

/// Maximum-weight one-to-one matching by similarity. Buffers are reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Association {
    edges: Vec<Edge>,
    /// Degree of each left and right node; later the number of its component.
    left_degree: Vec<u32>,
    right_degree: Vec<u32>,
    left_parent: Vec<u32>,
    right_parent: Vec<u32>,
    pairs: Vec<(u32, u32)>,
}

impl Association {
    /// Starts over with so many nodes on either side.
    pub(crate) fn start(&mut self, lefts: usize, rights: usize) {
        self.edges.clear();
        self.left_degree.clear();
        self.left_degree.resize(lefts, 0);
        self.right_degree.clear();
        self.right_degree.resize(rights, 0);
    }

    /// Adds the edge `left`-`right`; `likeness` is above 0 and at most 1.
    pub(crate) fn offer(&mut self, left: u32, right: u32, likeness: f32) {
        let gain = (likeness.min(1.0) * UNIT) as u32;
        self.edges.push(Edge { left, right, gain });
        self.left_degree[left as usize] += 1;
        self.right_degree[right as usize] += 1;
    }

    /// The best pairs among those offered. An assignment is solved only where several compete; most of a frame needs none.
    pub(crate) fn solve(&mut self) -> &[(u32, u32)] {
        self.pairs.clear();
        let mut contested = false;
        for edge in &self.edges {
            if self.left_degree[edge.left as usize] == 1 && self.right_degree[edge.right as usize] == 1 {
                self.pairs.push((edge.left, edge.right));
            } else {
                contested = true;
            }
        }
        if contested {
            self.solve_contested();
        }
        &self.pairs
    }

    /// Splits the contested edges into connected components and solves each.
    fn solve_contested(&mut self) {
        self.edges
            .retain(|edge| self.left_degree[edge.left as usize] > 1 || self.right_degree[edge.right as usize] > 1);
        // Components by label propagation along edges; labels are left positions.
        self.left_parent.clear();
        self.left_parent.extend(0..self.left_degree.len() as u32);
        self.right_parent.clear();
        self.right_parent.resize(self.right_degree.len(), NONE);
        loop {
            let mut changed = false;
            for edge in &self.edges {
                let (l, r) = (&mut self.left_parent[edge.left as usize], &mut self.right_parent[edge.right as usize]);
                let least = (*l).min(*r);
                if *l != least || *r != least {
                    (*l, *r) = (least, least);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        let label = &self.left_parent;
        self.edges.sort_unstable_by_key(|edge| (label[edge.left as usize], edge.left, edge.right));
        let mut from = 0;
        while from < self.edges.len() {
            let component = self.left_parent[self.edges[from].left as usize];
            let len =
                self.edges[from..].iter().take_while(|edge| self.left_parent[edge.left as usize] == component).count();
            solve_component(&self.edges[from..from + len], &mut self.pairs);
            from += len;
        }
    }
}

/// Solves one connected component; `edges` are ordered by left, then right.
fn solve_component(edges: &[Edge], pairs: &mut Vec<(u32, u32)>) {
    let mut push = |edge: &Edge| pairs.push((edge.left, edge.right));
    let one_left = edges.iter().all(|edge| edge.left == edges[0].left);
    let one_right = edges.iter().all(|edge| edge.right == edges[0].right);
    if one_left || one_right {
        // One against several: the best wins, of equals the earlier one.
        if let Some(best) = edges.iter().reduce(|best, edge| if edge.gain > best.gain { edge } else { best }) {
            push(best);
        }
        return;
    }
    let mut rows: Vec<u32> = edges.iter().map(|edge| edge.left).collect();
    rows.dedup();
    let mut columns: Vec<u32> = edges.iter().map(|edge| edge.right).collect();
    columns.sort_unstable();
    columns.dedup();
    let side = rows.len().max(columns.len());
    let mut costs = vec![0.0_f64; side * side];
    let at = |edge: &Edge| {
        let row = rows.binary_search(&edge.left).ok()?;
        let column = columns.binary_search(&edge.right).ok()?;
        Some((row, column))
    };
    for edge in edges {
        if let Some((row, column)) = at(edge) {
            costs[row * side + column] = -f64::from(edge.gain);
        }
    }
    let solved = lapjv::Matrix::from_shape_vec((side, side), costs).ok().and_then(|costs| lapjv::lapjv(&costs).ok());
    match solved {
        Some((column_of_row, _)) => {
            for edge in edges {
                if at(edge).is_some_and(|(row, column)| column_of_row[row] == column) {
                    push(edge);
                }
            }
        }
        None => greedy(edges, &mut push),
    }
}

/// Greedy matching, best first; only for the case that the solver refuses its input.
fn greedy(edges: &[Edge], push: &mut impl FnMut(&Edge)) {
    let mut order: Vec<&Edge> = edges.iter().collect();
    order.sort_by_key(|edge| std::cmp::Reverse(edge.gain));
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    for edge in order {
        if !lefts.contains(&edge.left) && !rights.contains(&edge.right) {
            lefts.push(edge.left);
            rights.push(edge.right);
            push(edge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn overlap(left: f32, right: f32) -> f32 {
        let shared = (10.0 - (left - right).abs()).max(0.0);
        shared / (20.0 - shared)
    }

    /// Intervals of length 10 that begin at these places, matched by their overlap.
    fn solved(left: &[f32], right: &[f32]) -> Vec<(u32, u32)> {
        let mut association = Association::default();
        association.start(left.len(), right.len());
        for (l, a) in left.iter().enumerate() {
            for (r, b) in right.iter().enumerate() {
                if overlap(*a, *b) >= 0.05 {
                    association.offer(l as u32, r as u32, overlap(*a, *b));
                }
            }
        }
        let mut pairs = association.solve().to_vec();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn sum_of_overlaps_decides_not_the_single_best() {
        // Box 1 is the best match of detection 0, but then box 0 would find nothing.
        assert_eq!(solved(&[0.0, 4.0], &[3.0, 8.0]), [(0, 0), (1, 1)]);
        assert_eq!(solved(&[0.0, 100.0], &[101.0, 1.0]), [(0, 1), (1, 0)]);
        assert_eq!(solved(&[0.0], &[50.0]), []);
        assert_eq!(solved(&[0.0], &[2.0, 1.0, 3.0]), [(0, 1)]);
    }

    fn best_sum(left: &[f32], right: &[f32], used: u32) -> f32 {
        let Some((first, rest)) = left.split_first() else { return 0.0 };
        let mut best = best_sum(rest, right, used);
        for (r, other) in right.iter().enumerate() {
            let gain = overlap(*first, *other);
            if used & (1 << r) == 0 && gain >= 0.05 {
                best = best.max(gain + best_sum(rest, right, used | (1 << r)));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn pairs_are_one_to_one_and_best(
            left in prop::collection::vec(0.0_f32..30.0, 0..6),
            right in prop::collection::vec(0.0_f32..30.0, 0..6),
        ) {
            let pairs = solved(&left, &right);
            let sum: f32 = pairs.iter().map(|(a, b)| overlap(left[*a as usize], right[*b as usize])).sum();
            prop_assert!((sum - best_sum(&left, &right, 0)).abs() < 1e-3, "{pairs:?} give {sum}");
            let mut rights: Vec<u32> = pairs.iter().map(|(_, b)| *b).collect();
            rights.sort_unstable();
            rights.dedup();
            prop_assert_eq!(rights.len(), pairs.len());
        }
    }
}
