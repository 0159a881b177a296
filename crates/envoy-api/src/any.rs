//! Messages in and out of `Any`.

use prost::Name;

use crate::{Any, encode, type_url};

/// Why an `Any` does not give the message asked for.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It holds a message of another type.
    #[error("expected {expected}, found {found:?}")]
    OtherType {
        /// Full name of the message asked for.
        expected: String,
        /// The type URL it has.
        found: String,
    },
    /// Its bytes are not such a message.
    #[error("not a valid {expected}: {source}")]
    Malformed {
        /// Full name of the message asked for.
        expected: String,
        /// What the decoder says.
        source: prost::DecodeError,
    },
}

/// Wraps a message with its type URL. Equal messages give equal bytes.
#[must_use]
pub fn pack<M: Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: encode(message) }
}

/// The message inside an `Any`, if it is of this type. Only what follows the last slash of the URL counts.
pub fn unpack<M: Name + Default>(any: &Any) -> Result<M, UnpackError> {
    let expected = M::full_name();
    if type_url::message_name(&any.type_url) != expected {
        return Err(UnpackError::OtherType { expected, found: any.type_url.clone() });
    }
    M::decode(any.value.as_slice()).map_err(|source| UnpackError::Malformed { expected, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::Cluster, listener::Listener};

    #[test]
    fn packs_and_unpacks() {
        let cluster = Cluster { name: "a".into(), ..Default::default() };
        let any = pack(&cluster);
        assert_eq!(any.type_url, type_url::CLUSTER);
        assert_eq!(unpack::<Cluster>(&any).unwrap(), cluster);
    }

    #[test]
    fn refuses_another_type_and_broken_bytes() {
        let any = pack(&Cluster::default());
        assert!(matches!(unpack::<Listener>(&any), Err(UnpackError::OtherType { .. })));
        let broken = Any { type_url: type_url::CLUSTER.into(), value: vec![0xff] };
        assert!(matches!(unpack::<Cluster>(&broken), Err(UnpackError::Malformed { .. })));
    }
}
