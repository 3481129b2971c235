//! Rows of other names and of former codes; the dates of any row.

use vedette_core::AddressPrefix;

use super::draft::{Draft, FormerDraft, NameDraft, Source};
use super::fields::{Field, Row};
use super::{Reason, dates};
use crate::date::{NO_END, NO_START};
use crate::name::NameKind;

/// Open on both sides.
pub(super) const ALWAYS: (i32, i32) = (NO_START, NO_END);

impl Draft {
    pub(super) fn add_name(&mut self, source: Source, row: &Row<'_>) {
        let given = row.get(Field::Code);
        let code = match given.parse::<AddressPrefix>() {
            Ok(code) => entity_code(&code),
            Err(error) => return self.refuse_code(source, "code", given, &error),
        };
        let word = row.get(Field::Kind);
        let Some(kind) = NameKind::parse(word) else {
            let known = NameKind::ALL.map(NameKind::as_str).join(", ");
            return self.refuse(source, "kind", word, Reason::BadValue, format!("a kind of name is one of {known}"));
        };
        if row.get(Field::Text).is_empty() {
            return self.refuse(source, "text", "", Reason::BadValue, "a name has a text".to_owned());
        }
        let Some(valid) = self.validity(source, row) else { return };
        self.note_source(row);
        let text = self.strings.intern(row.get(Field::Text));
        self.names.push(NameDraft { source, code, kind, text, valid });
    }

    pub(super) fn add_former(&mut self, source: Source, row: &Row<'_>) {
        let mut codes = Vec::with_capacity(2);
        for field in [Field::FormerCode, Field::Code] {
            match row.get(field).parse::<AddressPrefix>() {
                Ok(code) => codes.push(code),
                Err(error) => return self.refuse_code(source, field.name(), row.get(field), &error),
            }
        }
        let [former, code] = &codes[..] else { return };
        if former.level() != code.level() || former == code {
            let rule = "a former code and the one in its place are two codes of one level".to_owned();
            return self.refuse(source, "former_code", former.as_str(), Reason::CodeMeaning, rule);
        }
        let Some(changed) = self.date(source, row, Field::Changed, NO_END) else { return };
        self.note_source(row);
        let (former, code) = (former.as_str().to_owned(), code.as_str().to_owned());
        self.formers.push(FormerDraft { source, former, code, changed });
    }

    /// First and last day of a record; none when a date was refused.
    pub(super) fn validity(&mut self, source: Source, row: &Row<'_>) -> Option<(i32, i32)> {
        let from = self.date(source, row, Field::ValidFrom, NO_START)?;
        let to = self.date(source, row, Field::ValidTo, NO_END)?;
        if from > to {
            let rule = format!("it ends before it begins, on {}", row.get(Field::ValidFrom));
            self.refuse(source, "valid_to", row.get(Field::ValidTo), Reason::BadValue, rule);
            return None;
        }
        Some((from, to))
    }

    pub(super) fn date(&mut self, source: Source, row: &Row<'_>, field: Field, absent: i32) -> Option<i32> {
        let text = row.get(field);
        if text.is_empty() {
            return Some(absent);
        }
        match dates::day(text) {
            Ok(day) => Some(day),
            Err(rule) => {
                self.refuse(source, field.name(), text, Reason::BadValue, rule);
                None
            }
        }
    }
}

/// A building's 19 characters, also from its 25.
pub(super) fn entity_code(code: &AddressPrefix) -> String {
    match code.as_str() {
        whole if whole.len() == 25 && whole.ends_with("000000") => whole[..19].to_owned(),
        code => code.to_owned(),
    }
}
