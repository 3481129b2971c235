//! The metadata at the end of a file, checked before it is parsed: the parser walks through a list that it does not know element by
//! element, however many there are said to be, and elements that are flags take it no bytes; and it reads a field that it knows without
//! a look at the type that is there.

use parquet::file::reader::ChunkReader;

use crate::schema::{FILE_METADATA, STRUCT};
use crate::thrift::Thrift;

/// Deepest nesting of metadata.
const DEEPEST: usize = 24;
/// Bytes behind the metadata: their length, and the mark of a Parquet file.
const END: u64 = 8;

/// Checks that the metadata of a file is what its bytes can hold. Where there is none, the parser says so.
///
/// # Errors
/// When the file cannot be read, or the metadata is damaged.
pub(crate) fn check_metadata(source: &impl ChunkReader) -> Result<(), String> {
    let read = |start: u64, length: u64| {
        let length = usize::try_from(length).map_err(|_| "it is larger than memory".to_owned())?;
        source.get_bytes(start, length).map_err(|error| error.to_string())
    };
    let Some(end) = source.len().checked_sub(END) else { return Ok(()) };
    let Some(length) = read(end, END)?.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes))) else {
        return Ok(());
    };
    let Some(start) = end.checked_sub(length) else { return Ok(()) };
    let metadata = read(start, length)?;
    Thrift::new(&metadata)
        .skip(STRUCT, Some(&FILE_METADATA), DEEPEST)
        .ok_or_else(|| "its metadata is damaged".to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn file(metadata: &[u8]) -> Bytes {
        [b"PAR1", metadata, &(metadata.len() as u32).to_le_bytes(), b"PAR1"].concat().into()
    }

    #[test]
    fn lists_that_are_longer_than_the_metadata_or_of_flags_are_refused() {
        let damaged = Err("its metadata is damaged".to_owned());
        // Field 15: a list of two numbers, of 2,147,483,647 numbers, and of as many flags.
        let few = [0xf9, 0x25, 1, 1, 0];
        let many = |kind: u8| [0xf9, 0xf0 | kind, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
        assert_eq!(check_metadata(&file(&few)), Ok(()));
        assert_eq!(check_metadata(&file(&many(5))), damaged);
        assert_eq!(check_metadata(&file(&many(1))), damaged);
        // In a list of structs.
        let nested = [&[0xf9, 0x1c], &many(2)[..], &[0]].concat();
        assert_eq!(check_metadata(&file(&nested)), damaged);
        // The parser would go on behind the first byte of a flag.
        assert_eq!(check_metadata(&file(&[0xf9, 0x41, 1, 1, 2, 1, 0])), damaged);
        let error = crate::read_geoparquet(file(&many(1)), "many.parquet").unwrap_err();
        assert!(error.to_string().contains("its metadata is damaged"), "{error}");
    }

    #[test]
    fn fields_of_another_type_than_the_format_defines_are_refused() {
        let damaged = Err("its metadata is damaged".to_owned());
        // The number of rows as a number, as a text, and as a list of numbers.
        assert_eq!(check_metadata(&file(&[0x36, 2, 0])), Ok(()));
        assert_eq!(check_metadata(&file(&[0x38, 1, b'a', 0])), damaged);
        assert_eq!(check_metadata(&file(&[0x39, 0x15, 2, 0])), damaged);
        // The schema as a list of structs, of numbers, and with a name that is a number.
        assert_eq!(check_metadata(&file(&[0x29, 0x1c, 0x48, 1, b'a', 0, 0])), Ok(()));
        assert_eq!(check_metadata(&file(&[0x29, 0x15, 2, 0])), damaged);
        assert_eq!(check_metadata(&file(&[0x29, 0x1c, 0x45, 2, 0, 0])), damaged);
        // A field of a later version of the format.
        assert_eq!(check_metadata(&file(&[0xf9, 0x1c, 0x48, 1, b'a', 0, 0])), Ok(()));
    }

    #[test]
    fn a_file_without_metadata_is_left_to_the_parser() {
        for bytes in [&b""[..], b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1"] {
            assert_eq!(check_metadata(&Bytes::copy_from_slice(bytes)), Ok(()));
        }
    }
}
