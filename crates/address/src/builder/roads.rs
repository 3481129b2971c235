//! Rows of roads.

use geo::Geometry;

use super::Reason;
use super::addresses::geometry_field;
use super::draft::{Draft, Source};
use super::fields::{Field, Row};
use super::geometry::{Refused, way};

impl Draft {
    pub(super) fn add_road(&mut self, source: Source, row: &Row<'_>, raw: Option<&Geometry<f64>>) {
        let name = row.get(Field::Road);
        if name.is_empty() {
            return self.refuse(source, "road", "", Reason::BadValue, "a road has a name".to_owned());
        }
        let Some(raw) = raw else {
            return self.refuse(source, "wkt", name, Reason::NoGeometry, "a road has a line".to_owned());
        };
        match way(raw, &self.crs(source), &self.options) {
            Ok(lines) => {
                self.note_source(row);
                self.roads.push((name.to_owned(), lines));
            }
            Err(Refused { reason, rule, guess }) => {
                let (field, value) = geometry_field(row);
                self.note_guess(source.0, guess);
                self.refuse(source, field, value, reason, rule);
            }
        }
    }
}
