//! Messages of gRPC in a stream of bytes: a flag, a length, a message.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes before each message.
const HEAD: usize = 5;
/// Larger messages are not taken.
const MOST: usize = 256 << 20;

/// What came cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a compressed message, which was not asked for")]
    Compressed,
    #[error("a message of {0} bytes")]
    TooLarge(usize),
}

/// Puts messages together.
#[derive(Debug, Default)]
pub(crate) struct Frames(BytesMut);

impl Frames {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.0.extend_from_slice(chunk);
    }

    /// The next message, if it is there as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some((&[flag, a, b, c, d], rest)) = self.0.split_first_chunk::<HEAD>() else { return Ok(None) };
        if flag != 0 {
            return Err(FrameError::Compressed);
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > MOST {
            return Err(FrameError::TooLarge(length));
        }
        if rest.len() < length {
            self.0.reserve(HEAD + length - self.0.len());
            return Ok(None);
        }
        self.0.advance(HEAD);
        let message = self.0.split_to(length).freeze();
        if self.0.is_empty() {
            // What a large message needed does not stay with a proxy that waits for the next one.
            self.0 = BytesMut::new();
        }
        Ok(Some(message))
    }
}

/// A message with what stands before it.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("requests are far smaller than 4 GiB"));
    out.extend_from_slice(message);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_however_they_are_cut() {
        let wire = [framed(b"one"), framed(b""), framed(b"three")].concat();
        for size in 1..=wire.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for chunk in wire.chunks(size) {
                frames.push(chunk);
                while let Some(message) = frames.next().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, ["one", "", "three"], "in chunks of {size}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let mut frames = Frames::default();
        frames.push(&[1, 0, 0, 0, 0]);
        assert_eq!(frames.next(), Err(FrameError::Compressed));
        let mut frames = Frames::default();
        frames.push(&[0, 0xff, 0, 0, 0]);
        assert_eq!(frames.next(), Err(FrameError::TooLarge(0xff00_0000)));
    }
}
