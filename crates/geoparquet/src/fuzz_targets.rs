//! Entry points for fuzzers: any bytes are read or refused, without a panic, a hang or memory beyond what the input's size allows.

use bytes::Bytes;

use crate::read_geoparquet;

/// A GeoParquet file, read to its end or to its first error.
pub fn geoparquet(input: &[u8]) {
    if let Ok(table) = read_geoparquet(Bytes::copy_from_slice(input), "fuzz.parquet") {
        for row in table {
            if row.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            super::geoparquet(&bytes);
            super::geoparquet(&[b"PAR1", bytes.as_slice(), b"PAR1"].concat());
        }
    }
}
