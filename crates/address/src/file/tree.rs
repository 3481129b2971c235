//! A packed Hilbert R-tree in the flatbush layout, built by `geo-index`. Its own search allocates and trusts its input; this reader
//! walks the same bytes without either.

use geo_index::rtree::RTreeBuilder;
use geo_index::rtree::sort::HilbertSort;
use smallvec::{SmallVec, smallvec};
use zerocopy::FromBytes;
use zerocopy::little_endian::{I32, U16, U32};

const NODE: usize = 16;
/// 16 to the power of this is more than 2^32.
const LEVELS: usize = 9;
const HEADER: usize = 8;

/// West, south, east, north in steps.
pub(crate) type Boxed = [i32; 4];

/// The tree's bytes; empty for no boxes.
pub(crate) fn build(boxes: &[Boxed]) -> Vec<u8> {
    let Ok(count) = u32::try_from(boxes.len()) else { return Vec::new() };
    if count == 0 {
        return Vec::new();
    }
    let mut builder = RTreeBuilder::<i32>::new_with_node_size(count, NODE as u16);
    for [west, south, east, north] in boxes {
        builder.add(*west, *south, *east, *north);
    }
    builder.finish::<HilbertSort>().into_inner()
}

/// Where each level of a tree begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tree {
    /// First box of each level, leaves first, then the total count.
    starts: [u32; LEVELS + 1],
    levels: usize,
}

#[derive(Clone, Copy)]
enum Items<'a> {
    Narrow(&'a [U16]),
    Wide(&'a [U32]),
}

impl Tree {
    /// Reads the layout; none when the bytes are not a tree of `count` boxes.
    pub(crate) fn read(bytes: &[u8], count: usize) -> Option<Self> {
        if count == 0 {
            return bytes.is_empty().then(Self::default);
        }
        let head: [u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let node = u16::from_le_bytes([head[2], head[3]]);
        let items = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if head[0] != 0xfb || usize::from(node) != NODE || items as usize != count {
            return None;
        }
        let mut tree = Self { starts: [0; LEVELS + 1], levels: 1 };
        let (mut level, mut all) = (count, count);
        tree.starts[1] = u32::try_from(all).ok()?;
        while level > 1 {
            level = level.div_ceil(NODE);
            all += level;
            tree.levels += 1;
            *tree.starts.get_mut(tree.levels)? = u32::try_from(all).ok()?;
        }
        let index = if all < 16_384 { 2 } else { 4 };
        (bytes.len() == HEADER + all * (16 + index)).then_some(tree)
    }

    /// Calls `found` for each item whose box intersects `wanted`, until it returns false.
    #[inline]
    pub(crate) fn search(&self, bytes: &[u8], wanted: Boxed, mut found: impl FnMut(u32, Boxed) -> bool) {
        let Some((boxes, items)) = self.parts(bytes) else { return };
        // The root is the only box of the highest level; a tree of one box has no root.
        let mut stack: SmallVec<[(u8, u32); 32]> = smallvec![((self.levels - 1) as u8, 0)];
        while let Some((level, node)) = stack.pop() {
            let (level, node) = (usize::from(level), node as usize);
            let (here, end) = (self.starts[level] as usize, self.starts[level + 1] as usize);
            // `node` is a node of the level above; its children are the next boxes here.
            let first = here + node * NODE;
            let Some(children) = boxes.get(first..(first + NODE).min(end)) else { continue };
            let mut hits = meeting(children, wanted);
            while hits != 0 {
                let at = first + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                if level > 0 {
                    stack.push(((level - 1) as u8, (at - here) as u32));
                    continue;
                }
                let item = match items {
                    Items::Narrow(items) => items.get(at).map(|item| u32::from(item.get())),
                    Items::Wide(items) => items.get(at).map(|item| item.get()),
                };
                if item.is_some_and(|item| !found(item, boxes[at].map(|side| side.get()))) {
                    return;
                }
            }
        }
    }

    #[inline]
    fn parts<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [[I32; 4]], Items<'a>)> {
        if self.levels == 0 {
            return None;
        }
        let all = self.starts[self.levels] as usize;
        let (boxes, indices) = bytes.get(HEADER..)?.split_at_checked(all * 16)?;
        let boxes = <[[I32; 4]]>::ref_from_bytes(boxes).ok()?;
        let items = if all < 16_384 {
            Items::Narrow(<[U16]>::ref_from_bytes(indices).ok()?)
        } else {
            Items::Wide(<[U32]>::ref_from_bytes(indices).ok()?)
        };
        Some((boxes, items))
    }
}

/// A bit for each of at most 16 boxes that intersects `wanted`; branchless, since the outcome is unpredictable.
#[inline]
fn meeting(boxes: &[[I32; 4]], wanted: Boxed) -> u32 {
    boxes.iter().enumerate().fold(0, |hits, (at, [west, south, east, north])| {
        let hit = (west.get() <= wanted[2])
            & (south.get() <= wanted[3])
            & (east.get() >= wanted[0])
            & (north.get() >= wanted[1]);
        hits | u32::from(hit) << at
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(boxes: &[Boxed], wanted: Boxed) -> Vec<u32> {
        let bytes = build(boxes);
        let tree = Tree::read(&bytes, boxes.len()).unwrap();
        let mut found = Vec::new();
        tree.search(&bytes, wanted, |item, found_box| {
            assert_eq!(boxes[item as usize], found_box);
            found.push(item);
            true
        });
        found.sort_unstable();
        found
    }

    fn boxes() -> impl Strategy<Value = Vec<Boxed>> {
        let one =
            (-1000..1000_i32, -1000..1000_i32, 0..50_i32, 0..50_i32).prop_map(|(x, y, w, h)| [x, y, x + w, y + h]);
        prop::collection::vec(one, 0..2_000)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_found_is_what_a_scan_finds(boxes in boxes(), x in -1100..1100_i32, y in -1100..1100_i32, side in 0..300_i32) {
            let wanted = [x, y, x + side, y + side];
            let scan: Vec<u32> = (0_u32..).zip(&boxes)
                .filter(|(_, b)| b[0] <= wanted[2] && b[2] >= wanted[0] && b[1] <= wanted[3] && b[3] >= wanted[1])
                .map(|(item, _)| item)
                .collect();
            prop_assert_eq!(found(&boxes, wanted), scan);
        }

        #[test]
        fn any_bytes_are_refused_or_searched(bytes in prop::collection::vec(any::<u8>(), 0..400), count in 0..20_usize) {
            if let Some(tree) = Tree::read(&bytes, count) {
                tree.search(&bytes, [-5, -5, 5, 5], |_, _| true);
            }
        }
    }

    #[test]
    fn a_search_ends_when_told() {
        let boxes: Vec<Boxed> = (0..100).map(|at| [at, at, at, at]).collect();
        let bytes = build(&boxes);
        let mut seen = 0;
        Tree::read(&bytes, 100).unwrap().search(&bytes, [0, 0, 99, 99], |_, _| {
            seen += 1;
            seen < 3
        });
        assert_eq!(seen, 3);
    }
}
