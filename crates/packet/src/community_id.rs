//! Community ID, the name of a flow that Zeek, Suricata, Wireshark and others agree on: version 1
//! of <https://github.com/corelight/community-id-spec>.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::flow_key::{FlowKey, PortKind};

/// Bytes of SHA-1 in base64, with its padding.
const HASH_BYTES: usize = 28;
/// Bytes of the version that comes first.
const VERSION: &[u8; 2] = b"1:";

/// A flow's Community ID, as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommunityId([u8; VERSION.len() + HASH_BYTES]);

/// Names a flow. `seed` is the specification's, 0 unless a site agreed on another.
///
/// VLANs do not count. Fragments without a transport header are named by their addresses and
/// protocol. Costs about a microsecond: not for each packet.
pub fn community_id(key: &FlowKey, seed: u16) -> CommunityId {
    let mut sha1 = Sha1::new();
    sha1.update(seed.to_be_bytes());
    sha1.update(key.low_octets());
    sha1.update(key.high_octets());
    sha1.update([key.protocol(), 0]);
    if key.port_kind() != PortKind::None {
        sha1.update(key.low_port().to_be_bytes());
        sha1.update(key.high_port().to_be_bytes());
    }
    let mut text = [0; VERSION.len() + HASH_BYTES];
    let (version, hash) = text.split_at_mut(VERSION.len());
    version.copy_from_slice(VERSION);
    let written = STANDARD
        .encode_slice(sha1.finalize(), hash)
        .expect("20 bytes make 28 characters of base64");
    debug_assert_eq!(written, HASH_BYTES);
    CommunityId(text)
}

impl CommunityId {
    /// Returns the text, such as `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
