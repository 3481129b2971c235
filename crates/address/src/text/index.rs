//! From a text to entities.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tantivy::Index;
use tantivy::directory::OwnedBytes;
use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::schema::Field;

use super::blob::{self, BlobDirectory, IndexError};
use super::builder::FIELD;
use super::retrieve::candidates;
use super::score::{Judge, Judgement};
use super::term::{self, Family};
use super::token::{Token, tokenize};
use super::{Entities, EntityKind, unit};

/// Least score of a hit. On a synthetic city of 600,000 buildings 99 of 100 texts that name no place there stay below it;
/// `examples/evaluate` prints this rate, and the recall lost among disturbed texts.
const NO_MATCH: f32 = 0.58;
/// Number of buildings, and of areas and roads, that are aligned with a text.
const BUILDINGS: usize = 48;
const AREAS: usize = 16;
/// Units are searched in this many of the best buildings, if their scores are this close to the best.
const WITH_UNITS: usize = 6;
const NEAR: f32 = 0.1;

/// A hit of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The id of the entity.
    pub id: u32,
    /// The unit in that building, where the text names one.
    pub unit: Option<u32>,
    /// 1 when the text is one of its names, whole and unchanged; less with each difference; 0.58 at least.
    pub score: f32,
}

/// A text index, read in place.
pub struct TextIndex {
    reader: Arc<InvertedIndexReader>,
    field: Field,
    ids: OwnedBytes,
}

impl TextIndex {
    /// Opens the output of [`IndexBuilder::finish`](super::IndexBuilder::finish). Nothing is copied.
    ///
    /// # Errors
    ///
    /// When the bytes are not a text index, or one of another tantivy version. Damaged postings are detected only when they are
    /// read: the caller verifies a hash of the bytes.
    pub fn open(bytes: OwnedBytes) -> Result<Self, IndexError> {
        // tantivy panics on some damaged files.
        catch_unwind(AssertUnwindSafe(|| Self::open_trusting(&bytes))).unwrap_or(Err(IndexError::Damaged))
    }

    fn open_trusting(bytes: &OwnedBytes) -> Result<Self, IndexError> {
        let entries = blob::unpack(bytes)?;
        let ids = entries.get(std::path::Path::new(blob::IDS)).cloned();
        let ids = ids.ok_or(IndexError::Layout("it has no ids"))?;
        let index = Index::open(BlobDirectory::new(entries))?;
        let segments = index.searchable_segments()?;
        let [segment] = segments.as_slice() else {
            return Err(IndexError::Layout("it has another number of segments than one"));
        };
        let segment = SegmentReader::open(segment)?;
        if u64::from(segment.max_doc()) * 4 != ids.len() as u64 {
            return Err(IndexError::Layout("its ids do not fit its documents"));
        }
        let field = index.schema().get_field(FIELD)?;
        Ok(Self { reader: segment.inverted_index(field)?, field, ids })
    }

    /// Number of entities.
    #[must_use]
    pub fn entities(&self) -> u32 {
        (self.ids.len() / 4) as u32
    }

    /// The entities that match `text`, best first, at most `limit`; none without a match. On equal scores the lower id comes first.
    /// A text that ends in a unit yields the unit; where several units of the building fit equally (`801` of any entrance) each is
    /// a hit.
    ///
    /// A damaged index yields fewer or no hits.
    pub fn search(&self, text: &str, limit: usize, entities: &impl Entities) -> Vec<Hit> {
        let mut tokens = Vec::new();
        tokenize(text, &mut tokens);
        if tokens.is_empty() || limit == 0 {
            return Vec::new();
        }
        let mut judge = Judge::default();
        let mut judged: Vec<(u32, EntityKind, Judgement)> = self
            .retrieve(&tokens)
            .into_iter()
            .filter_map(|id| entities.entity(id).map(|entity| (id, entity.kind, judge.judge(&tokens, &entity))))
            .collect();
        judged.sort_by(|a, b| b.2.score(0.0).total_cmp(&a.2.score(0.0)).then(a.0.cmp(&b.0)));
        judged.dedup_by_key(|candidate| candidate.0);
        let mut hits = hits(&tokens, &judged, entities);
        hits.retain(|hit| hit.score >= NO_MATCH);
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)).then(a.unit.cmp(&b.unit)));
        hits.truncate(limit);
        hits
    }

    fn retrieve(&self, tokens: &[Token]) -> Vec<u32> {
        let mut terms = Vec::new();
        let mut ids = Vec::with_capacity(BUILDINGS + AREAS);
        for (family, limit) in [(Family::Building, BUILDINGS), (Family::Area, AREAS)] {
            term::of_text(family, tokens, &mut terms);
            let find = || candidates(&self.reader, self.field, &terms, self.entities(), limit);
            // tantivy panics on some damaged postings.
            let found = catch_unwind(AssertUnwindSafe(find)).ok().and_then(Result::ok).unwrap_or_default();
            ids.extend(found.into_iter().filter_map(|document| self.id(document)));
        }
        ids
    }

    fn id(&self, document: u32) -> Option<u32> {
        let at = (document as usize).checked_mul(4)?;
        self.ids.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// The candidates as hits, the best buildings with the units that match the rest of the text.
fn hits(tokens: &[Token], judged: &[(u32, EntityKind, Judgement)], entities: &impl Entities) -> Vec<Hit> {
    let best = judged.first().map_or(0.0, |candidate| candidate.2.score(0.0));
    let mut hits = Vec::with_capacity(judged.len());
    let mut looked_into = 0;
    for (id, kind, judgement) in judged {
        let score = judgement.score(0.0);
        let tail = &tokens[judgement.tail..];
        let look = *kind == EntityKind::Building
            && judgement.unit.is_none()
            && !tail.is_empty()
            && score >= best - NEAR
            && looked_into < WITH_UNITS;
        let (units, more) = if look {
            looked_into += 1;
            unit::find(tail, |visit| entities.units(*id, visit))
        } else {
            (Vec::new(), 0.0)
        };
        if units.is_empty() {
            hits.push(Hit { id: *id, unit: judgement.unit, score });
        }
        let score = judgement.score(more);
        hits.extend(units.into_iter().map(|unit| Hit { id: *id, unit: Some(unit), score }));
    }
    hits
}

impl std::fmt::Debug for TextIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TextIndex").field("entities", &self.entities()).finish_non_exhaustive()
    }
}
