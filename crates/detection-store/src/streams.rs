//! Compressed byte streams, one behind the other. Each is compressed by itself, since bytes of one kind have their own statistics.

use zstd::bulk::{Compressor, Decompressor};

use crate::bytes::{Cursor, put, put_bytes};
use crate::error::Damage;

/// Of zstd: higher ones gain a few per cent and take several times as long.
const LEVEL: i32 = 3;
/// No stream that is written is longer; a length beyond it is damage.
const LONGEST: usize = 1 << 26;

/// Compresses streams.
pub(crate) struct Packer {
    compressor: Option<Compressor<'static>>,
    out: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { compressor: Compressor::new(LEVEL).ok(), out: Vec::new() }
    }

    /// Appends a stream; it stays as it is where compression gains nothing.
    pub(crate) fn stream(&mut self, bytes: &[u8]) {
        put(&mut self.out, bytes.len() as u64);
        let packed = self.compressor.as_mut().and_then(|compressor| compressor.compress(bytes).ok());
        match packed.filter(|packed| packed.len() < bytes.len()) {
            Some(packed) => put_bytes(&mut self.out, &packed),
            None => {
                put(&mut self.out, 0);
                self.out.extend_from_slice(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Decompresses streams, in their order.
pub(crate) struct Unpacker {
    decompressor: Decompressor<'static>,
}

impl Unpacker {
    pub(crate) fn new() -> Result<Self, Damage> {
        Ok(Self { decompressor: Decompressor::new().map_err(|_| Damage::Compression)? })
    }

    pub(crate) fn stream(&mut self, from: &mut Cursor<'_>) -> Result<Vec<u8>, Damage> {
        let length = from.size("length")?;
        if length > LONGEST {
            return Err(Damage::Value("length"));
        }
        let packed = from.bytes()?;
        if packed.is_empty() {
            return Ok(from.take(length)?.to_vec());
        }
        let unpacked = self.decompressor.decompress(packed, length).map_err(|_| Damage::Compression)?;
        if unpacked.len() == length { Ok(unpacked) } else { Err(Damage::Short) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn streams_come_back(streams: Vec<Vec<u8>>, repeated in 0_usize..5_000) {
            let mut streams = streams;
            streams.push(vec![7; repeated]);
            let mut packer = Packer::new();
            streams.iter().for_each(|stream| packer.stream(stream));
            let packed = packer.finish();
            let mut cursor = Cursor::new(&packed);
            let mut unpacker = Unpacker::new().unwrap();
            for stream in &streams {
                prop_assert_eq!(&unpacker.stream(&mut cursor).unwrap(), stream);
            }
            prop_assert!(cursor.is_at_end());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut unpacker = Unpacker::new().unwrap();
            let mut cursor = Cursor::new(&bytes);
            while unpacker.stream(&mut cursor).is_ok() {}
        }
    }
}
