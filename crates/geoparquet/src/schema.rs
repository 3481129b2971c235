//! The types of a file's metadata, as the Parquet format defines them. A parser that finds another type in a field than it expects reads
//! the bytes behind it for what they are not.

use Type::{Binary, Bool, Byte, Double, Int16, Int32, Int64, List, Struct};

/// The type of a struct in the compact protocol.
pub(crate) const STRUCT: u8 = 12;

/// A type of Thrift, and those within it.
#[derive(Debug)]
pub(crate) enum Type {
    Bool,
    Byte,
    Int16,
    Int32,
    Int64,
    Double,
    Binary,
    List(&'static Type),
    /// The fields by number. Others may follow in a later version of the format.
    Struct(&'static [(i64, Type)]),
}

const EMPTY: Type = Struct(&[]);

const KEY_VALUE: Type = Struct(&[(1, Binary), (2, Binary)]);

const TIME_UNIT: Type = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);

const LOGICAL_TYPE: Type = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, Int32), (2, Int32)])),
    (6, EMPTY),
    (7, Struct(&[(1, Bool), (2, TIME_UNIT)])),
    (8, Struct(&[(1, Bool), (2, TIME_UNIT)])),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, Int32)])),
]);

const SCHEMA_ELEMENT: Type = Struct(&[
    (1, Int32),
    (2, Int32),
    (3, Int32),
    (4, Binary),
    (5, Int32),
    (6, Int32),
    (7, Int32),
    (8, Int32),
    (9, Int32),
    (10, LOGICAL_TYPE),
]);

const STATISTICS: Type =
    Struct(&[(1, Binary), (2, Binary), (3, Int64), (4, Int64), (5, Binary), (6, Binary), (7, Bool), (8, Bool)]);

const SIZE_STATISTICS: Type = Struct(&[(1, Int64), (2, List(&Int64)), (3, List(&Int64))]);

const BOUNDING_BOX: Type =
    Struct(&[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)]);

const PAGE_ENCODING_STATS: Type = Struct(&[(1, Int32), (2, Int32), (3, Int32)]);

const COLUMN_METADATA: Type = Struct(&[
    (1, Int32),
    (2, List(&Int32)),
    (3, List(&Binary)),
    (4, Int32),
    (5, Int64),
    (6, Int64),
    (7, Int64),
    (8, List(&KEY_VALUE)),
    (9, Int64),
    (10, Int64),
    (11, Int64),
    (12, STATISTICS),
    (13, List(&PAGE_ENCODING_STATS)),
    (14, Int64),
    (15, Int32),
    (16, SIZE_STATISTICS),
    (17, Struct(&[(1, BOUNDING_BOX), (2, List(&Int32))])),
]);

const COLUMN_CRYPTO: Type = Struct(&[(1, EMPTY), (2, Struct(&[(1, List(&Binary)), (2, Binary)]))]);

const COLUMN_CHUNK: Type = Struct(&[
    (1, Binary),
    (2, Int64),
    (3, COLUMN_METADATA),
    (4, Int64),
    (5, Int32),
    (6, Int64),
    (7, Int32),
    (8, COLUMN_CRYPTO),
    (9, Binary),
]);

const SORTING_COLUMN: Type = Struct(&[(1, Int32), (2, Bool), (3, Bool)]);

const ROW_GROUP: Type = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, Int64),
    (3, Int64),
    (4, List(&SORTING_COLUMN)),
    (5, Int64),
    (6, Int64),
    (7, Int16),
]);

const CIPHER: Type = Struct(&[(1, Binary), (2, Binary), (3, Bool)]);

/// The metadata of a file.
pub(crate) const FILE_METADATA: Type = Struct(&[
    (1, Int32),
    (2, List(&SCHEMA_ELEMENT)),
    (3, Int64),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY)]))),
    (8, Struct(&[(1, CIPHER), (2, CIPHER)])),
    (9, Binary),
]);

/// The header of a page: type, unpacked and packed size, checksum, and what each kind of page has.
pub(crate) const PAGE_HEADER: Type = Struct(&[
    (1, Int32),
    (2, Int32),
    (3, Int32),
    (4, Int32),
    (5, Struct(&[(1, Int32), (2, Int32), (3, Int32), (4, Int32), (5, STATISTICS)])),
    (6, EMPTY),
    (7, Struct(&[(1, Int32), (2, Int32), (3, Bool)])),
    (8, Struct(&[(1, Int32), (2, Int32), (3, Int32), (4, Int32), (5, Int32), (6, Int32), (7, Bool), (8, STATISTICS)])),
]);

impl Type {
    /// The type of a struct's field.
    pub(crate) fn field(&self, number: i64) -> Option<&Type> {
        let Struct(fields) = self else { return None };
        fields.iter().find(|(known, _)| *known == number).map(|(_, field)| field)
    }

    /// The type of a list's elements.
    pub(crate) fn element(&self) -> Option<&Type> {
        if let List(element) = self { Some(element) } else { None }
    }

    /// Whether a value of it may follow this type of a field or of the elements of a list.
    pub(crate) fn is(&self, wire: u8) -> bool {
        match self {
            Bool => matches!(wire, 1 | 2),
            Byte => wire == 3,
            Int16 => wire == 4,
            Int32 => wire == 5,
            Int64 => wire == 6,
            Double => wire == 7,
            Binary => wire == 8,
            List(_) => wire == 9,
            Struct(_) => wire == STRUCT,
        }
    }
}
