//! When one segment ends and the next begins: pure policy over sizes and times.

use weir_model::Timestamp;

/// When a segment has had enough. With neither limit, only a request ends a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationPolicy {
    /// The most stored bytes of a segment; a segment that has reached them is full.
    pub segment_bytes_max: Option<u64>,
    /// Segments turn at multiples of this since 1970-01-01T00:00:00Z: 60 s turns at :00 of each
    /// minute. 0 counts as `None`.
    pub interval_ns: Option<u64>,
}

/// Why a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RotateCause {
    /// It is full.
    Bytes,
    /// Its interval is over.
    Time,
    /// Someone asked.
    Request,
}

impl RotateCause {
    /// Returns the name that stands in events and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Request => "request",
        }
    }
}

impl RotationPolicy {
    /// Returns why a segment that was opened at `opened_at` and has `bytes` stored bytes ends now,
    /// or `None` if it goes on.
    ///
    /// A segment belongs to the interval in which it was opened, and ends when `now` is in another.
    /// A clock that is set forward ends it at once, and a clock that is set back by less than an
    /// interval does nothing until it passes the edge again, so that jitter around an edge does not
    /// make a segment each time. A clock that is set back further ends the segment, for its name
    /// says a time that has not come.
    pub fn should_rotate(
        &self,
        now: Timestamp,
        opened_at: Timestamp,
        bytes: u64,
    ) -> Option<RotateCause> {
        if self.segment_bytes_max.is_some_and(|max| bytes >= max) {
            return Some(RotateCause::Bytes);
        }
        let interval_ns = self.interval_ns.filter(|&interval_ns| interval_ns != 0)?;
        let opened = opened_at.as_ns() / interval_ns;
        let current = now.as_ns() / interval_ns;
        let stepped_back = opened_at.saturating_ns_since(now) >= interval_ns;
        (current > opened || stepped_back).then_some(RotateCause::Time)
    }

    /// Returns the time at which a segment that was opened at `opened_at` ends by the clock, or
    /// `None` if none ends so.
    pub fn next_edge(&self, opened_at: Timestamp) -> Option<Timestamp> {
        let interval_ns = self.interval_ns.filter(|&interval_ns| interval_ns != 0)?;
        let edge_ns = (opened_at.as_ns() / interval_ns + 1).saturating_mul(interval_ns);
        Some(Timestamp::from_ns(edge_ns))
    }
}

#[cfg(test)]
mod tests;
