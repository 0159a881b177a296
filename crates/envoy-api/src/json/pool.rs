//! The descriptors of all messages, unpacked at the first use.

use std::{io::Read, sync::LazyLock};

use flate2::read::ZlibDecoder;
use prost_reflect::DescriptorPool;

/// A descriptor set without options and services, made by `make gen`.
const PACKED: &[u8] = include_bytes!("descriptors.bin.z");

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut set = Vec::new();
    ZlibDecoder::new(PACKED)
        .read_to_end(&mut set)
        .expect("the file in the binary is the one the tests unpack");
    DescriptorPool::decode(set.as_slice()).expect("the file in the binary is the one the tests decode")
});

pub(super) fn get() -> &'static DescriptorPool {
    &POOL
}
