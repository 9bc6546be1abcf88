//! Reads the data types of the SSH wire (RFC 4251 §5) that keys and signatures are made of. Decides nothing beyond
//! form: every field is inside its buffer, numbers are written the one canonical way, nothing follows the last field.

/// Bytes that are not SSH wire data of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field is longer than what is left.
    #[error("the data ends inside a field")]
    Truncated,
    /// Bytes that no field accounts for.
    #[error("{0} bytes follow the last field")]
    Trailing(usize),
    /// An `mpint` that is zero, negative or padded.
    #[error("a number is zero, negative, or padded with zeros")]
    Number,
}

/// A cursor over wire data. Fields are borrowed, never copied, so a length in the data cannot allocate.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.u32()?).map_err(|_| WireError::Truncated)?;
        self.take(length)
    }

    /// A positive number, most significant byte first and without the sign byte. OpenSSH writes the canonical form
    /// only; a reader that accepts others gives one key two encodings.
    pub(super) fn positive_mpint(&mut self) -> Result<&'a [u8], WireError> {
        match self.string()? {
            [0, digits @ ..] if digits.first().is_some_and(|high| high & 0x80 != 0) => Ok(digits),
            digits @ [high, ..] if (1..0x80).contains(high) => Ok(digits),
            _ => Err(WireError::Number),
        }
    }

    pub(super) const fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.0.len())) }
    }
}

/// Appends `bytes` as a wire string. A length beyond `u32` would be cut; the result is then data that nobody signed,
/// and verification fails.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_buffer_is_refused_at_every_size() {
        for length in [1, 5, 0x7fff_ffff, u32::MAX] {
            let bytes = length.to_be_bytes();
            assert_eq!(Reader::new(&bytes).string(), Err(WireError::Truncated), "{length}");
        }
    }

    #[test]
    fn a_number_has_one_encoding() {
        let read = |digits: &[u8]| {
            let mut bytes = Vec::new();
            put_string(&mut bytes, digits);
            Reader::new(&bytes).positive_mpint().map(<[u8]>::to_vec)
        };
        assert_eq!(read(&[1, 0, 1]), Ok(vec![1, 0, 1]));
        assert_eq!(read(&[0, 0x80]), Ok(vec![0x80]));
        for other in [&[][..], &[0], &[0, 0], &[0, 1], &[0x80], &[0xff, 1], &[0, 0, 0x80]] {
            assert_eq!(read(other), Err(WireError::Number), "{other:?}");
        }
    }

    #[test]
    fn bytes_after_the_last_field_are_refused() {
        assert_eq!(Reader::new(&[0]).end(), Err(WireError::Trailing(1)));
        assert_eq!(Reader::new(&[]).end(), Ok(()));
    }
}
