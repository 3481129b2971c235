//! The common interface of the two databases: run a statement with values, return rows of plain cells.

use std::borrow::Cow;

use super::StoreError;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A connection, or a transaction on one.
///
/// Statements are written for both databases: `?1` is the first value, every number is 64 bits wide, a type is never left to
/// be inferred from a value alone.
pub(super) trait Session {
    /// Runs a statement; returns the number of rows written.
    fn execute(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Runs a statement; returns its rows.
    fn rows(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError>;

    /// The only row of a statement that always returns one.
    fn row(&mut self, doing: &'static str, sql: &str) -> Result<Row, StoreError> {
        let none = || StoreError::Damaged { doing, cause: "a row that is always there is missing".into() };
        self.rows(doing, sql, &[])?.pop().ok_or_else(none)
    }
}

/// A row of a result.
#[derive(Debug)]
pub(super) struct Row {
    doing: &'static str,
    cells: Vec<Cell>,
}

impl Row {
    pub(super) const fn new(doing: &'static str, cells: Vec<Cell>) -> Self {
        Self { doing, cells }
    }

    /// The number of columns.
    pub(super) const fn len(&self) -> usize {
        self.cells.len()
    }

    /// The operation that read the row.
    pub(super) const fn doing(&self) -> &'static str {
        self.doing
    }

    /// The text of column `at` as far as there is one, for a message; it stays in the row.
    pub(super) fn text(&self, at: usize) -> String {
        match self.cells.get(at) {
            Some(Cell::Text(text)) => text.clone(),
            _ => "?".to_owned(),
        }
    }

    /// Takes the cell of column `at`, counted from 0, out of the row.
    pub(super) fn take<T: FromCell>(&mut self, at: usize) -> Result<T, StoreError> {
        let cell = self.cells.get_mut(at).map_or(Cell::Null, |cell| std::mem::replace(cell, Cell::Null));
        T::from_cell(cell).ok_or_else(|| StoreError::Damaged {
            doing: self.doing,
            cause: format!("column {at} has an unexpected type"),
        })
    }
}

/// Types that a cell can be converted to.
pub(super) trait FromCell: Sized {
    fn from_cell(cell: Cell) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: Cell) -> Option<Self> {
        if let Cell::Integer(number) = cell { Some(number) } else { None }
    }
}

impl FromCell for u64 {
    fn from_cell(cell: Cell) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell for u32 {
    fn from_cell(cell: Cell) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell) -> Option<Self> {
        if let Cell::Text(text) = cell { Some(text) } else { None }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell) -> Option<Self> {
        if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            held => T::from_cell(held).map(Some),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
