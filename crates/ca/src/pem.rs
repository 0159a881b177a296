//! PEM text in both directions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::Pem;
use zeroize::Zeroizing;

/// The largest PEM file we look at. Real ones are a few kilobytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Characters of base64 in one line of PEM (RFC 7468, section 2).
const LINE: usize = 64;

/// One block of PEM text. The buffer is sized once, so a secret leaves no copies behind in memory that was grown.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let mut body = Zeroizing::new(vec![0_u8; der.len().div_ceil(3) * 4]);
    let length = STANDARD.encode_slice(der, &mut body).expect("four characters for each three bytes");
    let frame = "-----BEGIN -----\n-----END -----\n".len() + 2 * label.len();
    let mut out = String::with_capacity(frame + length + length.div_ceil(LINE));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    for line in body[..length].chunks(LINE) {
        out.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        out.push('\n');
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// One block, its label and its content. The content is overwritten when dropped, for it may be a key.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) content: Zeroizing<Vec<u8>>,
}

/// Why a PEM text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemError {
    /// Larger than any real file.
    #[error("is larger than 1 MiB")]
    TooLarge,
    /// A block without end, or with something that is not base64 inside.
    #[error("holds a broken PEM block")]
    Broken,
    /// A certificate block whose content is not an X.509 certificate.
    #[error("holds a block that is not an X.509 certificate")]
    NotCertificate,
}

/// All blocks of a text, in order. Text around the blocks is skipped, as OpenSSL does.
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<Block>, PemError> {
    if text.len() > MAX_BYTES {
        return Err(PemError::TooLarge);
    }
    Pem::iter_from_buffer(text)
        .map(|block| match block {
            Ok(Pem { label, contents }) => Ok(Block { label, content: Zeroizing::new(contents) }),
            Err(_) => Err(PemError::Broken),
        })
        .collect()
}

/// The DER of all certificates in a text. Each one is known to parse.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    blocks(text)?
        .into_iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| match x509_parser::parse_x509_certificate(&block.content) {
            Ok(([], _)) => Ok(block.content.to_vec()),
            _ => Err(PemError::NotCertificate),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(der in proptest::collection::vec(any::<u8>(), 1..300)) {
            let text = encode("PRIVATE KEY", &der);
            prop_assert!(text.lines().all(|line| line.len() <= LINE));
            prop_assert_eq!(text.capacity(), text.len());
            let blocks = blocks(text.as_bytes()).unwrap();
            prop_assert_eq!(blocks.len(), 1);
            prop_assert_eq!(&*blocks[0].content, &der);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = certificates(&bytes);
        }
    }

    #[test]
    fn a_cut_block_is_an_error() {
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n"), Err(PemError::Broken));
        assert_eq!(
            certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Err(PemError::NotCertificate)
        );
        assert_eq!(certificates(&vec![b' '; MAX_BYTES + 1]), Err(PemError::TooLarge));
        assert_eq!(certificates(b"hello\n"), Ok(vec![]));
    }
}
