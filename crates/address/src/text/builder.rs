//! Entities in, index out.

use std::collections::BTreeMap;

use tantivy::directory::RamDirectory;
use tantivy::index::SegmentComponent::{FastFields, FieldNorms, Positions, Postings, Store, Terms};
use tantivy::indexer::SingleSegmentIndexWriter;
use tantivy::schema::{Field, INDEXED, Schema};
use tantivy::{Directory, Index, IndexSettings, TantivyDocument, TantivyError};

use super::{Entity, IndexError, blob, term};

/// The one field: the terms of an entity's names.
pub(super) const FIELD: &str = "term";
/// tantivy gives a segment a random name; in a blob it has this one, so that equal entities give equal bytes.
const SEGMENT: &str = "00000000000000000000000000000001";
const META: &str = "meta.json";

/// Builds a text index: entities in ascending order of their ids, then [`finish`](Self::finish).
pub struct IndexBuilder {
    writer: SingleSegmentIndexWriter,
    directory: RamDirectory,
    field: Field,
    ids: Vec<u32>,
    terms: Vec<u64>,
}

impl IndexBuilder {
    /// `memory_bytes` is the initial size of tantivy's tables (at least 15 MB); the entities need more, since one segment holds
    /// them all: about 250 MB for a city of 620,000.
    ///
    /// # Errors
    ///
    /// When tantivy cannot create an index.
    pub fn new(memory_bytes: usize) -> Result<Self, IndexError> {
        let mut schema = Schema::builder();
        let field = schema.add_u64_field(FIELD, INDEXED);
        let directory = RamDirectory::create();
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let writer = Index::builder()
            .schema(schema.build())
            .settings(settings)
            .single_segment_index_writer(directory.clone(), memory_bytes.max(15_000_000))?;
        Ok(Self { writer, directory, field, ids: Vec::new(), terms: Vec::new() })
    }

    /// Adds an entity. One without a name (most grids, which only have a code) is skipped.
    ///
    /// # Errors
    ///
    /// When its id is not above that of the previous entity, or tantivy fails.
    pub fn add(&mut self, id: u32, entity: &Entity<'_>) -> Result<(), IndexError> {
        if let Some(last) = self.ids.last().copied().filter(|last| id <= *last) {
            return Err(IndexError::Order { id, last });
        }
        self.terms.clear();
        term::of_entity(entity, &mut self.terms);
        if self.terms.is_empty() {
            return Ok(());
        }
        let mut document = TantivyDocument::new();
        for term in &self.terms {
            document.add_u64(self.field, *term);
        }
        self.writer.add_document(document)?;
        self.ids.push(id);
        Ok(())
    }

    /// The index as bytes for [`TextIndex::open`](super::TextIndex::open). Equal entities give equal bytes.
    ///
    /// # Errors
    ///
    /// When tantivy fails.
    pub fn finish(self) -> Result<Vec<u8>, IndexError> {
        let index = self.writer.finalize()?;
        let metas = index.searchable_segment_metas()?;
        let random = metas.first().map(|meta| meta.id().uuid_string()).unwrap_or_default();
        let components = [Terms, Postings, Positions, FastFields, FieldNorms, Store];
        let mut paths: Vec<_> =
            metas.iter().flat_map(|meta| components.clone().map(|part| meta.relative_path(part))).collect();
        paths.push(META.into());
        let mut entries = BTreeMap::new();
        for path in paths.iter().filter_map(|path| path.to_str()) {
            let bytes = if path == META {
                let meta = self.directory.atomic_read(path.as_ref()).map_err(TantivyError::from)?;
                // tantivy writes the name with hyphens.
                let text = String::from_utf8_lossy(&meta).into_owned();
                text.replace(&hyphenated(&random), &hyphenated(SEGMENT)).into_bytes()
            } else {
                let file = self.directory.open_read(path.as_ref()).map_err(TantivyError::from)?;
                file.read_bytes().map_err(TantivyError::from)?.as_slice().to_vec()
            };
            entries.insert(path.replace(&random, SEGMENT), bytes);
        }
        entries.insert(blob::IDS.to_owned(), self.ids.iter().flat_map(|id| id.to_le_bytes()).collect());
        Ok(blob::pack(&entries))
    }
}

fn hyphenated(name: &str) -> String {
    let mut text = name.to_owned();
    for at in [20, 16, 12, 8] {
        if text.is_char_boundary(at) && at < text.len() {
            text.insert(at, '-');
        }
    }
    text
}
