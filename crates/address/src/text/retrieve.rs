//! Candidates: the documents with the highest sum of a text's rare terms.

use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, TERMINATED, Term};

/// Most postings read for one text; the commonest terms remain unread. 8,000 take 80 us.
const BUDGET: u32 = 8_000;

/// A document below this fraction of the best sum is not a candidate.
const KEPT: f32 = 0.45;

/// The best documents for `terms`, at most `limit`. `documents` is the size of the index.
pub(super) fn candidates(
    reader: &InvertedIndexReader,
    field: Field,
    terms: &[u64],
    documents: u32,
    limit: usize,
) -> std::io::Result<Vec<DocId>> {
    let mut found: Vec<(u64, TermInfo)> = Vec::with_capacity(terms.len());
    for term in terms {
        if let Some(info) = reader.get_term_info(&Term::from_field_u64(field, *term))? {
            found.push((*term, info));
        }
    }
    found.sort_unstable_by_key(|(term, info)| (info.doc_freq, *term));
    let mut weights = Weights::new();
    let mut budget = BUDGET;
    for (_, info) in &found {
        // A text of common terms only still reads the rarest of them, in part.
        if info.doc_freq > budget && budget < BUDGET {
            break;
        }
        let weight = (f64::from(documents) / f64::from(info.doc_freq.max(1))).ln_1p() as f32;
        let mut postings = reader.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while budget > 0 && postings.block_len() > 0 {
            for document in postings.docs().iter().filter(|document| **document != TERMINATED) {
                weights.add(*document, weight);
            }
            budget = budget.saturating_sub(postings.block_len() as u32);
            postings.advance();
        }
    }
    Ok(weights.best(limit))
}

/// Documents and their sums: open addressing, sized once for the whole budget and one block.
struct Weights {
    slots: Vec<(DocId, f32)>,
    used: usize,
}

const SLOTS: usize = 32_768;

impl Weights {
    fn new() -> Self {
        Self { slots: vec![(TERMINATED, 0.0); SLOTS], used: 0 }
    }

    fn add(&mut self, document: DocId, weight: f32) {
        let mut at = (document.wrapping_mul(0x9e37_79b1) >> 17) as usize % SLOTS;
        loop {
            let slot = &mut self.slots[at];
            if slot.0 == document {
                slot.1 += weight;
                return;
            }
            if slot.0 == TERMINATED {
                // A damaged index could exceed the budget: the excess is ignored.
                if self.used < SLOTS / 2 {
                    *slot = (document, weight);
                    self.used += 1;
                }
                return;
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// The documents with the highest sums, best first; on a tie the lower first.
    fn best(self, limit: usize) -> Vec<DocId> {
        let mut found: Vec<(DocId, f32)> = self.slots;
        let most = found.iter().map(|slot| slot.1).fold(0.0, f32::max);
        found.retain(|slot| slot.0 != TERMINATED && slot.1 >= KEPT * most);
        let order = |a: &(DocId, f32), b: &(DocId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if found.len() > limit && limit > 0 {
            found.select_nth_unstable_by(limit - 1, order);
        }
        found.truncate(limit);
        found.sort_unstable_by(order);
        found.into_iter().map(|(document, _)| document).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_collect_most_come_first_and_ties_go_to_the_lower() {
        let mut weights = Weights::new();
        for document in (0..5_000).rev() {
            weights.add(document, 1.0);
        }
        weights.add(4_321, 0.5);
        assert_eq!(weights.best(4), [4_321, 0, 1, 2]);
    }

    #[test]
    fn documents_far_behind_the_best_are_no_candidates() {
        let mut weights = Weights::new();
        [(7, 1.0), (8, 3.0), (7, 9.0), (9, 5.0)]
            .into_iter()
            .for_each(|(document, weight)| weights.add(document, weight));
        assert_eq!(weights.best(4), [7, 9]);
    }

    #[test]
    fn more_documents_than_the_budget_do_not_fill_the_table() {
        let mut weights = Weights::new();
        (0..100_000).for_each(|document| weights.add(document, 1.0));
        assert_eq!(weights.best(usize::MAX).len(), SLOTS / 2);
    }
}
