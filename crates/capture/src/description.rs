//! What every segment says about where it came from: the machine, the program, each interface.

use weir_model::{Clock, LinkType, Timestamp, TimestampSource};
use weir_segment::SegmentHeader;
use weir_segment::pcapng::{InterfaceDescription, InterfaceStatistics, SectionHeader};

use crate::block::PortTally;

/// What segments say about a port.
#[derive(Clone, Debug)]
pub struct InterfaceText {
    /// `if_name`: the port's name.
    pub name: String,
    /// `if_description`: what the configuration says about it.
    pub description: Option<String>,
    /// `if_MACaddr`.
    pub mac: Option<[u8; 6]>,
    /// `if_speed`, in bits per second.
    pub speed_bits_per_second: Option<u64>,
    /// `if_filter`.
    pub filter: Option<String>,
    /// `if_hardware`: the driver, and the device it runs.
    pub hardware: String,
    /// Where its timestamps come from.
    pub timestamp_source: TimestampSource,
    /// How far a timestamp that the driver gives may be from what it claims; `None` where nobody
    /// knows, and where our own clock stamps, which measures its own bound.
    pub timestamp_error_bound_ns: Option<u64>,
    /// Whether the driver can know what it missed.
    pub knows_missed_packets: bool,
}

/// What segments say about everything that stays the same during a run.
#[derive(Clone, Debug)]
pub struct Description {
    /// `shb_hardware`.
    pub hardware: String,
    /// `shb_os`, and `if_os`.
    pub os: String,
    /// `shb_userappl`: program, version and revision.
    pub program: String,
    /// The snaplen, in bytes.
    pub snaplen_bytes: u32,
    /// Each port, by number.
    pub interfaces: Vec<InterfaceText>,
}

impl Description {
    /// Calls `with` with the header of a segment that opens now.
    pub(crate) fn with_header<C: Clock, R>(
        &self,
        clock: &C,
        with: impl FnOnce(&SegmentHeader<'_>) -> R,
    ) -> R {
        let comments: Vec<String> = self
            .interfaces
            .iter()
            .map(|interface| interface.timestamp_comment(clock.error_bound_ns()))
            .collect();
        let interfaces: Vec<InterfaceDescription<'_>> = self
            .interfaces
            .iter()
            .zip(&comments)
            .map(|(interface, comment)| InterfaceDescription {
                name: Some(&interface.name),
                description: interface.description.as_deref(),
                mac: interface.mac,
                speed_bits_per_second: interface.speed_bits_per_second,
                filter: interface.filter.as_deref(),
                hardware: Some(&interface.hardware),
                os: Some(&self.os),
                comment: Some(comment),
                ..InterfaceDescription::new(LinkType::ETHERNET, self.snaplen_bytes)
            })
            .collect();
        with(&SegmentHeader {
            section: SectionHeader {
                hardware: Some(&self.hardware),
                os: Some(&self.os),
                userappl: Some(&self.program),
                comment: None,
            },
            interfaces: &interfaces,
        })
    }

    /// Returns the statistics of a segment, from the accounts of its blocks.
    pub(crate) fn statistics(
        &self,
        account: &[PortTally],
        opened_at: Timestamp,
        now: Timestamp,
    ) -> Vec<InterfaceStatistics<'static>> {
        let of_port = |(port, tally): (usize, &PortTally)| InterfaceStatistics {
            interface_id: u32::try_from(port).unwrap_or(u32::MAX),
            timestamp: now,
            starttime: Some(opened_at),
            endtime: Some(now),
            ifrecv: Some(tally.received_packets() - tally.drops.nic_packets),
            ifdrop: self.interfaces[port].knows_missed_packets.then_some(tally.drops.nic_packets),
            filteraccept: Some(tally.accepted_packets),
            osdrop: Some(tally.drops.os_packets),
            usrdeliv: Some(tally.accepted_packets),
            comment: None,
        };
        account.iter().enumerate().map(of_port).collect()
    }
}

impl InterfaceText {
    /// Says how far timestamps can be trusted, in words that programs can read as well.
    fn timestamp_comment(&self, clock_error_bound_ns: Option<u64>) -> String {
        let source = self.timestamp_source;
        let bound_ns = match source {
            TimestampSource::Tsc => clock_error_bound_ns,
            _ => self.timestamp_error_bound_ns,
        };
        let bound = bound_ns.map_or_else(|| "unknown".to_owned(), |ns| ns.to_string());
        let spread = match source {
            TimestampSource::Tsc => "; a packet lies between the two polls that bound it",
            _ => "",
        };
        format!("timestamp_source={} timestamp_error_bound_ns={bound}{spread}", source.as_str())
    }
}
