//! What is said over the socket.

use serde::{Deserialize, Serialize};

/// The version of requests and replies. It rises when a field changes its meaning or goes.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

/// A request: one JSON object on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The version that the asker speaks.
    pub(crate) version: u32,
    /// What is asked for.
    pub(crate) verb: Verb,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// The numbers: a `Stats` object.
    Stats,
    /// Seal the open segments and begin new ones.
    Rotate,
    /// Take no more packets, write what is inside, and end.
    Stop,
}

/// The reply: one JSON object on one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The version that the answerer speaks.
    pub(crate) version: u32,
    /// Whether it was done.
    pub(crate) ok: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) error: Option<String>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) data: Option<serde_json::Value>,
}

impl Reply {
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture does anything"))]
    pub(crate) fn done(data: Option<serde_json::Value>) -> Self {
        Self { version: PROTOCOL_VERSION, ok: true, error: None, data }
    }

    pub(crate) fn refused(error: impl Into<String>) -> Self {
        Self { version: PROTOCOL_VERSION, ok: false, error: Some(error.into()), data: None }
    }
}
