//! Identifiers that must not be mixed up: ports, queues and lcores.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// Returns the identifier as an index into a table that has one entry for each.
            #[inline]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A port: one place where packets come in. It is the port's place in the configuration and
    /// its interface number in every file, and not DPDK's own port number.
    PortId
}
id! {
    /// A receive queue of a port.
    QueueId
}
id! {
    /// An lcore: a pinned thread that runs stages, as in DPDK.
    LcoreId
}
