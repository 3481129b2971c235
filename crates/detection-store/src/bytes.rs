//! Integers of variable length: small numbers take one byte.

use crate::error::Damage;

/// Appends an unsigned number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number; small ones of both signs are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends bytes with their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what was appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Damage> {
        let (&first, rest) = self.rest.split_first().ok_or(Damage::Short)?;
        self.rest = rest;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.long_number(first)
    }

    fn long_number(&mut self, first: u8) -> Result<u64, Damage> {
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Damage::Short)?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damage::Value("number"))
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, Damage> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number that counts or indexes.
    pub(crate) fn size(&mut self, what: &'static str) -> Result<usize, Damage> {
        usize::try_from(self.number()?).map_err(|_| Damage::Value(what))
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damage::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let count = self.size("length")?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage::Value("text"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: Vec<u64>, signed: Vec<i64>) {
            let mut out = Vec::new();
            unsigned.iter().for_each(|number| put(&mut out, *number));
            signed.iter().for_each(|number| put_signed(&mut out, *number));
            let mut cursor = Cursor::new(&out);
            for number in unsigned {
                prop_assert_eq!(cursor.number(), Ok(number));
            }
            for number in signed {
                prop_assert_eq!(cursor.signed(), Ok(number));
            }
            prop_assert!(cursor.is_at_end());
            prop_assert_eq!(cursor.number(), Err(Damage::Short));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.number().is_ok() {}
            let mut cursor = Cursor::new(&bytes);
            while cursor.text().is_ok() {}
        }
    }
}
