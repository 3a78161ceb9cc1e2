//! Points in time, with their unit in the type.

use core::fmt;

/// A point in time of day: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds
/// (`CLOCK_REALTIME`). It reaches to the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself; also what stands where no packet has been seen.
    pub const EPOCH: Self = Self(0);

    /// Makes a timestamp of nanoseconds since the epoch.
    #[inline]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Makes a timestamp of microseconds since the epoch, the unit of the `net_pcap` PMD.
    /// Saturates at the end of the range.
    #[inline]
    pub const fn from_us(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// Returns nanoseconds since the epoch.
    #[inline]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Returns the timestamp moved by `ns` nanoseconds, saturating at both ends of the range.
    #[inline]
    pub const fn saturating_add_ns(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Returns how many nanoseconds this lies after `earlier`, and 0 if it does not.
    #[inline]
    pub const fn saturating_ns_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// Writes seconds since the epoch with nine decimals, as tshark's `frame.time_epoch`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// Where a packet's timestamp came from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimestampSource {
    /// The NIC's clock, read by the NIC when the packet arrived.
    Hardware,
    /// The PMD's timestamp field, filled by software beneath us (a capture file's own time, or
    /// the kernel's).
    Pmd,
    /// Our own TSC, held against `CLOCK_REALTIME`: packets of a burst are spread between the two
    /// polls that bound them.
    Tsc,
}

impl TimestampSource {
    /// Returns the name that stands in files and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Pmd => "pmd",
            Self::Tsc => "tsc",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_tshark_does() {
        assert_eq!(Timestamp::from_ns(1_000_000_001).to_string(), "1.000000001");
        assert_eq!(Timestamp::from_us(1_500_000).to_string(), "1.500000000");
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::from_us(u64::MAX).as_ns(), u64::MAX);
        assert_eq!(Timestamp::from_ns(5).saturating_ns_since(Timestamp::from_ns(9)), 0);
    }
}
