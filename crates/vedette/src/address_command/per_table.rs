//! Settings of `vedette address` that hold for all tables or for one.

use std::path::Path;
use std::str::FromStr;

/// A setting of all tables, `VALUE`, or of one, `TABLE=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerTable<T> {
    /// File name or path of the table; none for all that are not named.
    pub table: Option<String>,
    /// The setting.
    pub value: T,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for PerTable<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, value) = match text.rsplit_once('=') {
            Some((table, value)) => (Some(table.to_owned()), value),
            None => (None, text),
        };
        Ok(Self { table, value: value.parse().map_err(|error: T::Err| error.to_string())? })
    }
}

/// The setting of `table`: its own, or the last one of all tables.
pub(super) fn of_table<T: Copy>(settings: &[PerTable<T>], table: &Path) -> Option<T> {
    let find = |wanted: &dyn Fn(&Option<String>) -> bool| {
        settings.iter().rev().find(|setting| wanted(&setting.table)).map(|setting| setting.value)
    };
    find(&|named| named.as_deref().is_some_and(|named| names(named, table))).or_else(|| find(&Option::is_none))
}

/// The first setting whose table is not among `tables`.
pub(super) fn unknown_table<'a, T>(settings: &'a [PerTable<T>], tables: &[impl AsRef<Path>]) -> Option<&'a str> {
    let mut named = settings.iter().filter_map(|setting| setting.table.as_deref());
    named.find(|named| !tables.iter().any(|table| names(named, table.as_ref())))
}

fn names(named: &str, table: &Path) -> bool {
    Path::new(named) == table || table.file_name().is_some_and(|name| name == named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_table_has_its_own_setting() {
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<PerTable<u32>>>();
        let settings = parsed(&["1", "b.csv=2", "x/c=d.csv=3", "4"]);
        let of = |table: &str| of_table(&settings, Path::new(table));
        assert_eq!((of("city/b.csv"), of("x/c=d.csv"), of("a.csv")), (Some(2), Some(3), Some(4)));
        assert_eq!(of_table(&settings[1..2], Path::new("a.csv")), None);
        assert_eq!(unknown_table(&settings, &["city/b.csv", "x/c=d.csv"]), None);
        assert_eq!(unknown_table(&settings, &["city/b.csv"]), Some("x/c=d.csv"));
        assert!("b.csv=x".parse::<PerTable<u32>>().is_err());
    }
}
