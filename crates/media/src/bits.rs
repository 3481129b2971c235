//! The bit strings of H.264 and H.265 headers.

use bytes::{BufMut, BytesMut};

/// The bytes of a NAL unit behind its header, without emulation prevention bytes.
pub(crate) struct Unescaped<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u32,
}

impl<'a> Unescaped<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { bytes: data.iter(), zeros: 0 }
    }

    /// What has not been read, as it is in the NAL unit.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.as_slice()
    }
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.next()?;
        if self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.bytes.next()?;
        }
        self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        Some(byte)
    }
}

/// Appends bytes with the emulation prevention bytes that they need; what is before them ends with a byte other than 0.
pub(crate) fn escape(bytes: &[u8], out: &mut BytesMut) {
    let mut zeros = 0;
    for byte in bytes {
        if zeros == 2 && *byte <= 3 {
            out.put_u8(3);
            zeros = 0;
        }
        out.put_u8(*byte);
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
    }
}

/// Reads bits and Exp-Golomb codes, skipping emulation prevention bytes.
pub(crate) struct Bits<'a> {
    bytes: Unescaped<'a>,
    current: u8,
    left: u32,
    /// Bytes read.
    read: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { bytes: Unescaped::new(data), current: 0, left: 0, read: 0 }
    }

    /// The number of bits read.
    pub(crate) fn position(&self) -> usize {
        self.read * 8 - self.left as usize
    }

    pub(crate) fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.current = self.bytes.next()?;
            self.left = 8;
            self.read += 1;
        }
        self.left -= 1;
        Some(u32::from(self.current >> self.left) & 1)
    }

    pub(crate) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// `ue(v)`; none when it is longer than 32 bits.
    pub(crate) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1_u64 << zeros) - 1 + u64::from(self.take(zeros)?)).try_into().unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_holds_no_start_code_and_is_read_as_it_was(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..5, any::<u8>()], 0..60),
        ) {
            let mut out = BytesMut::new();
            escape(&bytes, &mut out);
            prop_assert!(out.windows(3).all(|three| three[..2] != [0, 0] || three[2] > 2));
            prop_assert_eq!(Unescaped::new(&out).collect::<Vec<_>>(), bytes);
        }
    }
}
