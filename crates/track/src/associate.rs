use vedette_core::PixelBox;

use crate::tracklet::ClassGroup;

/// One side of an association: a box that may still be matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) bbox: PixelBox,
    /// Part of its size by which the box grows on every side before boxes are compared.
    pub(crate) margin: f32,
    pub(crate) group: ClassGroup,
    /// Its place in the list it came from.
    pub(crate) index: u32,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    left: u32,
    right: u32,
    /// Overlap in parts of [`UNIT`]: whole numbers keep the solver exact, so it always ends and ties break one way.
    gain: u32,
}

const UNIT: f32 = 1_048_576.0;
const NONE: u32 = u32::MAX;

/// Matches boxes one to one so that the sum of overlaps is greatest. Buffers are kept from call to call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Association {
    edges: Vec<Edge>,
    /// Edges so far per left and right candidate; later the number of the component.
    left_degree: Vec<u32>,
    right_degree: Vec<u32>,
    left_parent: Vec<u32>,
    right_parent: Vec<u32>,
    pairs: Vec<(u32, u32)>,
}

impl Association {
    /// The best pairs `(left index, right index)` among those that overlap by at least `least_iou` and are of one class
    /// group. Only where several boxes compete is an assignment solved; most of a frame needs none.
    pub(crate) fn solve(&mut self, left: &[Candidate], right: &[Candidate], least_iou: f32) -> &[(u32, u32)] {
        self.pairs.clear();
        if left.is_empty() || right.is_empty() {
            return &self.pairs;
        }
        self.gate(left, right, least_iou);
        let mut contested = false;
        for edge in &self.edges {
            if self.left_degree[edge.left as usize] == 1 && self.right_degree[edge.right as usize] == 1 {
                self.pairs.push((left[edge.left as usize].index, right[edge.right as usize].index));
            } else {
                contested = true;
            }
        }
        if contested {
            self.solve_contested(left, right);
        }
        &self.pairs
    }

    /// Gives back memory that a busy scene took.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    fn gate(&mut self, left: &[Candidate], right: &[Candidate], least_iou: f32) {
        self.edges.clear();
        self.left_degree.clear();
        self.left_degree.resize(left.len(), 0);
        self.right_degree.clear();
        self.right_degree.resize(right.len(), 0);
        for (l, a) in left.iter().enumerate() {
            for (r, b) in right.iter().enumerate() {
                let margin = a.margin.max(b.margin);
                // Most pairs are far apart: that is told without any division.
                let reach = margin * (a.bbox.width + b.bbox.width);
                if a.group != b.group || a.bbox.x - b.bbox.right() > reach || b.bbox.x - a.bbox.right() > reach {
                    continue;
                }
                let iou = if margin > 0.0 {
                    grown(&a.bbox, margin).iou(&grown(&b.bbox, margin))
                } else {
                    a.bbox.iou(&b.bbox)
                };
                // Written so that an overlap that is no number fails the gate.
                if iou >= least_iou && iou > 0.0 {
                    let gain = (iou.min(1.0) * UNIT) as u32;
                    self.edges.push(Edge { left: l as u32, right: r as u32, gain });
                    self.left_degree[l] += 1;
                    self.right_degree[r] += 1;
                }
            }
        }
    }

    /// Splits what is contested into connected components and solves each.
    fn solve_contested(&mut self, left: &[Candidate], right: &[Candidate]) {
        self.edges
            .retain(|edge| self.left_degree[edge.left as usize] > 1 || self.right_degree[edge.right as usize] > 1);
        // Components by repeatedly taking the smallest label along edges; labels are left positions.
        self.left_parent.clear();
        self.left_parent.extend(0..left.len() as u32);
        self.right_parent.clear();
        self.right_parent.resize(right.len(), NONE);
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
            solve_component(&self.edges[from..from + len], left, right, &mut self.pairs);
            from += len;
        }
    }
}

fn grown(bbox: &PixelBox, margin: f32) -> PixelBox {
    let (dx, dy) = (bbox.width * margin, bbox.height * margin);
    PixelBox::new(bbox.x - dx, bbox.y - dy, bbox.width + 2.0 * dx, bbox.height + 2.0 * dy)
}

/// Solves one connected component; `edges` are ordered by left, then right.
fn solve_component(edges: &[Edge], left: &[Candidate], right: &[Candidate], pairs: &mut Vec<(u32, u32)>) {
    let mut push = |edge: &Edge| pairs.push((left[edge.left as usize].index, right[edge.right as usize].index));
    let one_left = edges.iter().all(|edge| edge.left == edges[0].left);
    let one_right = edges.iter().all(|edge| edge.right == edges[0].right);
    if one_left || one_right {
        // One box against several: the best wins, the earlier of equals.
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

/// Best first; only for the case that the solver refuses its input.
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

    fn candidates(lefts: &[f32]) -> Vec<Candidate> {
        let at = |(index, x): (usize, &f32)| Candidate {
            bbox: PixelBox::new(*x, 0.0, 10.0, 10.0),
            margin: 0.0,
            group: ClassGroup::Person,
            index: index as u32,
        };
        lefts.iter().enumerate().map(at).collect()
    }

    fn solved(left: &[f32], right: &[f32]) -> Vec<(u32, u32)> {
        let mut pairs = Association::default().solve(&candidates(left), &candidates(right), 0.05).to_vec();
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

    #[test]
    fn classes_of_other_groups_do_not_match() {
        let (left, mut right) = (candidates(&[0.0]), candidates(&[0.0]));
        right[0].group = ClassGroup::Vehicle;
        assert!(Association::default().solve(&left, &right, 0.05).is_empty());
    }

    fn best_sum(left: &[Candidate], right: &[Candidate], used: u32) -> f32 {
        let Some((first, rest)) = left.split_first() else { return 0.0 };
        let mut best = best_sum(rest, right, used);
        for (r, candidate) in right.iter().enumerate() {
            let iou = first.bbox.iou(&candidate.bbox);
            if used & (1 << r) == 0 && iou >= 0.05 {
                best = best.max(iou + best_sum(rest, right, used | (1 << r)));
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
            let (l, r) = (candidates(&left), candidates(&right));
            let pairs = solved(&left, &right);
            let sum: f32 = pairs.iter().map(|(a, b)| l[*a as usize].bbox.iou(&r[*b as usize].bbox)).sum();
            prop_assert!((sum - best_sum(&l, &r, 0)).abs() < 1e-3, "{pairs:?} give {sum}");
            let mut rights: Vec<u32> = pairs.iter().map(|(_, b)| *b).collect();
            rights.sort_unstable();
            rights.dedup();
            prop_assert_eq!(rights.len(), pairs.len());
        }
    }
}
