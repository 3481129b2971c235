//! Values of one plain column of a Parquet file, batch by batch, as the texts that a CSV file would have.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::schema::types::ColumnDescriptor;

/// Whole doubles below it are exact: 2 to the power of 53.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Bytes of a text that are kept. No address is that long, and one long text may stand in every row.
const LONGEST_TEXT: usize = 16 << 10;

/// What a column's numbers and bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Text,
    Wkb,
    Plain,
    Unsigned,
    Date,
    /// Ticks a second.
    Timestamp(i64),
    /// Digits after the point.
    Decimal(u32),
}

impl Meaning {
    /// Of a column that is no geometry; none when it holds no plain values (lists, structs, bare bytes).
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.path().parts().len() != 1 || column.max_rep_level() != 0 {
            return None;
        }
        let logical = column.logical_type_ref();
        let converted = column.converted_type();
        match column.physical_type() {
            Type::BYTE_ARRAY => {
                let text = matches!(logical, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json))
                    || matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON);
                text.then_some(Self::Text)
            }
            Type::FIXED_LEN_BYTE_ARRAY => None,
            Type::INT96 => Some(Self::Timestamp(1_000)),
            Type::INT32 | Type::INT64 => Some(match (logical, converted) {
                (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Self::Date,
                (Some(LogicalType::Timestamp(kind)), _) => Self::Timestamp(match kind.unit {
                    TimeUnit::MILLIS => 1_000,
                    TimeUnit::MICROS => 1_000_000,
                    TimeUnit::NANOS => 1_000_000_000,
                }),
                (_, ConvertedType::TIMESTAMP_MILLIS) => Self::Timestamp(1_000),
                (_, ConvertedType::TIMESTAMP_MICROS) => Self::Timestamp(1_000_000),
                (Some(LogicalType::Decimal { .. }), _) | (_, ConvertedType::DECIMAL) => {
                    Self::Decimal(u32::try_from(column.type_scale()).unwrap_or(0))
                }
                (Some(LogicalType::Integer(kind)), _) if !kind.is_signed => Self::Unsigned,
                (
                    _,
                    ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
                ) => Self::Unsigned,
                _ => Self::Plain,
            }),
            Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => Some(Self::Plain),
        }
    }
}

/// A cell: nothing, text, or a geometry's bytes.
#[derive(Debug, Clone, Default)]
pub(super) enum Cell {
    #[default]
    Null,
    Text(String),
    Wkb(ByteArray),
}

impl Cell {
    /// Bytes of its content.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Text(text) => text.len(),
            Self::Wkb(bytes) => bytes.len(),
        }
    }
}

/// Reads up to `most` cells.
///
/// # Errors
/// What is wrong with the bytes or a value.
pub(super) fn read(reader: &mut ColumnReader, meaning: Meaning, most: usize) -> Result<Vec<Cell>, String> {
    let text = |text: String| Ok(Cell::Text(text));
    match reader {
        ColumnReader::BoolColumnReader(reader) => batch(reader, most, |value| text(value.to_string())),
        ColumnReader::Int32ColumnReader(reader) => batch(reader, most, |value| {
            text(if meaning == Meaning::Unsigned {
                value.cast_unsigned().to_string()
            } else {
                number(meaning, value.into())
            })
        }),
        ColumnReader::Int64ColumnReader(reader) => batch(reader, most, |value| {
            text(if meaning == Meaning::Unsigned { value.cast_unsigned().to_string() } else { number(meaning, value) })
        }),
        ColumnReader::Int96ColumnReader(reader) => batch(reader, most, |value| {
            // Days since noon of the first Julian day and nanoseconds of the day; 2,440,588 is 1970-01-01.
            let [low, high, day] = [0, 1, 2].map(|index| i64::from(value.data()[index]));
            let millis = ((high << 32) | low) / 1_000_000;
            text(number(meaning, (day - 2_440_588) * 86_400_000 + millis.clamp(0, 86_399_999)))
        }),
        ColumnReader::FloatColumnReader(reader) => batch(reader, most, |value| text(value.to_string())),
        // A code that went through a spreadsheet is a double: its digits come out whole, or with the exponent that lost them.
        ColumnReader::DoubleColumnReader(reader) => batch(reader, most, |value| {
            text(if value.abs() < EXACT { value.to_string() } else { format!("{value:E}") })
        }),
        ColumnReader::ByteArrayColumnReader(reader) => batch(reader, most, |value: ByteArray| match meaning {
            Meaning::Wkb => Ok(Cell::Wkb(value)),
            _ => match std::str::from_utf8(value.data()) {
                Ok(value) => text(value[..value.floor_char_boundary(LONGEST_TEXT)].to_owned()),
                Err(error) => Err(format!("the text is not UTF-8: {error}")),
            },
        }),
        ColumnReader::FixedLenByteArrayColumnReader(_) => Err("the column holds bytes of fixed length".to_owned()),
    }
}

fn batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    most: usize,
    cell: impl Fn(T::T) -> Result<Cell, String>,
) -> Result<Vec<Cell>, String> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (records, ..) =
        reader.read_records(most, Some(&mut levels), None, &mut values).map_err(|error| error.to_string())?;
    let mut values = values.into_iter();
    if levels.is_empty() {
        return values.map(cell).collect();
    }
    let mut cells = Vec::with_capacity(records);
    for level in levels {
        cells.push(match level {
            0 => Cell::Null,
            _ => cell(values.next().ok_or("a value is missing")?)?,
        });
    }
    Ok(cells)
}

fn number(meaning: Meaning, value: i64) -> String {
    match meaning {
        Meaning::Date => date(value),
        Meaning::Timestamp(ticks) => {
            let (seconds, rest) = (value.div_euclid(ticks), value.rem_euclid(ticks));
            let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
            let date = date(day);
            // Tools that know no dates write midnights.
            if second == 0 && rest == 0 {
                return date;
            }
            format!("{date}T{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
        }
        Meaning::Decimal(scale) if scale > 0 => {
            let digits = format!("{:0width$}", value.unsigned_abs(), width = scale as usize + 1);
            let (whole, part) = digits.split_at(digits.len() - scale as usize);
            format!("{}{whole}.{part}", if value < 0 { "-" } else { "" })
        }
        _ => value.to_string(),
    }
}

/// The date of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(day: i64) -> String {
    let day = day.saturating_add(719_468);
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_a_csv_file_has_them() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(17_532), "2018-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(number(Meaning::Timestamp(1_000), 1_514_764_800_000), "2018-01-01");
        assert_eq!(number(Meaning::Timestamp(1_000_000), 1_514_764_861_000_001), "2018-01-01T00:01:01");
        assert_eq!(number(Meaning::Decimal(2), -5), "-0.05");
        assert_eq!(number(Meaning::Decimal(0), 44_030_400_100_101), "44030400100101");
        for extreme in [i64::MIN, i64::MAX] {
            for meaning in [Meaning::Date, Meaning::Timestamp(1_000), Meaning::Decimal(18), Meaning::Plain] {
                assert!(!number(meaning, extreme).is_empty());
            }
        }
    }
}
