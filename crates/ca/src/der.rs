//! The few ASN.1 steps that no library of ours offers: wrapping bytes, and walking over a sequence.

/// Tag of a SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// Tag of a BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// Tag of an OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;

/// One element with the given tag around the joined parts.
pub(crate) fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// One element at the start of `input`: its tag, its whole encoding, its content, and what follows it.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) whole: &'a [u8],
    pub(crate) content: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// Reads the first element. `None` if the input is cut short or uses a form DER does not allow here.
pub(crate) fn first(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, after_tag) = input.split_first()?;
    let (&short, after_length) = after_tag.split_first()?;
    let (length, header) = if short < 0x80 {
        (usize::from(short), 2)
    } else {
        let count = usize::from(short & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let length = after_length
            .get(..count)?
            .iter()
            .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        (length, 2 + count)
    };
    let end = header.checked_add(length)?;
    Some(Element { tag, whole: input.get(..end)?, content: input.get(header..end)?, rest: input.get(end..)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_wrapped_is_read_back(byte in any::<u8>(), length in 0..70_000_usize) {
            let content = vec![byte; length];
            let whole = wrap(SEQUENCE, &[&content, b""]);
            let element = first(&whole).unwrap();
            prop_assert_eq!(element.tag, SEQUENCE);
            prop_assert_eq!(element.content, &content[..]);
            prop_assert_eq!(element.whole, &whole[..]);
            prop_assert!(element.rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = first(&bytes);
        }
    }
}
