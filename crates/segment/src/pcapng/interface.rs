//! Interface Description Blocks and Interface Statistics Blocks.

use weir_model::{LinkType, Timestamp};

use super::options::{OPTION_BYTES_MAX, OPTION_COMMENT, OptionWriter, append_block};
use super::{BLOCK_TYPE_IDB, BLOCK_TYPE_ISB, TIMESTAMP_RESOLUTION};

const OPTION_IF_NAME: u16 = 2;
const OPTION_IF_DESCRIPTION: u16 = 3;
const OPTION_IF_MACADDR: u16 = 6;
const OPTION_IF_SPEED: u16 = 8;
const OPTION_IF_TSRESOL: u16 = 9;
const OPTION_IF_FILTER: u16 = 11;
const OPTION_IF_OS: u16 = 12;
const OPTION_IF_HARDWARE: u16 = 15;

/// `if_filter` begins with a byte that says what the filter is: 0 is a libpcap filter string.
const FILTER_IS_STRING: u8 = 0;

const OPTION_ISB_STARTTIME: u16 = 2;
const OPTION_ISB_ENDTIME: u16 = 3;
const OPTION_ISB_IFRECV: u16 = 4;
const OPTION_ISB_IFDROP: u16 = 5;
const OPTION_ISB_FILTERACCEPT: u16 = 6;
const OPTION_ISB_OSDROP: u16 = 7;
const OPTION_ISB_USRDELIV: u16 = 8;

/// What a section says about one interface. Interfaces are numbered from 0, in order.
///
/// Timestamps of the interface's packets count nanoseconds (`if_tsresol` 9, always written). A text
/// longer than an option holds (65,535 bytes) is cut at a character boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceDescription<'a> {
    /// The link type of its packets.
    pub link_type: LinkType,
    /// The most bytes of a packet that are captured; 0 is "no limit".
    pub snaplen_bytes: u32,
    /// `if_name`.
    pub name: Option<&'a str>,
    /// `if_description`.
    pub description: Option<&'a str>,
    /// `if_MACaddr`.
    pub mac: Option<[u8; 6]>,
    /// `if_speed`, in bits per second.
    pub speed_bits_per_second: Option<u64>,
    /// `if_filter`: the filter in force, as a pcap-filter(7) string.
    pub filter: Option<&'a str>,
    /// `if_hardware`: the NIC, or the PMD.
    pub hardware: Option<&'a str>,
    /// `if_os`.
    pub os: Option<&'a str>,
    /// `opt_comment`.
    pub comment: Option<&'a str>,
}

impl<'a> InterfaceDescription<'a> {
    /// Makes a description that says nothing but the link type and the snaplen.
    pub const fn new(link_type: LinkType, snaplen_bytes: u32) -> Self {
        Self {
            link_type,
            snaplen_bytes,
            name: None,
            description: None,
            mac: None,
            speed_bits_per_second: None,
            filter: None,
            hardware: None,
            os: None,
            comment: None,
        }
    }

    /// Appends the block to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_block(out, BLOCK_TYPE_IDB, |out| {
            out.extend_from_slice(&self.link_type.0.to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&self.snaplen_bytes.to_le_bytes());
            let mut options = OptionWriter::new(out);
            options.text(OPTION_IF_NAME, self.name);
            options.text(OPTION_IF_DESCRIPTION, self.description);
            if let Some(mac) = self.mac {
                options.bytes(OPTION_IF_MACADDR, &mac);
            }
            options.number(OPTION_IF_SPEED, self.speed_bits_per_second);
            options.bytes(OPTION_IF_TSRESOL, &[TIMESTAMP_RESOLUTION]);
            if let Some(filter) = self.filter {
                options.bytes(OPTION_IF_FILTER, &filter_value(filter));
            }
            options.text(OPTION_IF_HARDWARE, self.hardware);
            options.text(OPTION_IF_OS, self.os);
            options.text(OPTION_COMMENT, self.comment);
            options.end();
        });
    }
}

fn filter_value(filter: &str) -> Vec<u8> {
    let end = filter.floor_char_boundary(OPTION_BYTES_MAX - 1);
    let mut value = Vec::with_capacity(1 + end);
    value.push(FILTER_IS_STRING);
    value.extend_from_slice(&filter.as_bytes()[..end]);
    value
}

/// What is known about an interface's packets from `starttime` to `endtime`.
///
/// What cannot be known is `None` and is left out of the block: it is never written as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics<'a> {
    /// The interface, by its place among the section's Interface Description Blocks.
    pub interface_id: u32,
    /// When the counters were read.
    pub timestamp: Timestamp,
    /// `isb_starttime`: when the capture began.
    pub starttime: Option<Timestamp>,
    /// `isb_endtime`: when the capture ended.
    pub endtime: Option<Timestamp>,
    /// `isb_ifrecv`: packets that the interface received.
    pub ifrecv: Option<u64>,
    /// `isb_ifdrop`: packets that the interface dropped for want of resources.
    pub ifdrop: Option<u64>,
    /// `isb_filteraccept`: packets that the filter accepted.
    pub filteraccept: Option<u64>,
    /// `isb_osdrop`: packets that the capturing system dropped.
    pub osdrop: Option<u64>,
    /// `isb_usrdeliv`: packets that reached the file.
    pub usrdeliv: Option<u64>,
    /// `opt_comment`.
    pub comment: Option<&'a str>,
}

impl InterfaceStatistics<'_> {
    /// Appends the block to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_block(out, BLOCK_TYPE_ISB, |out| {
            out.extend_from_slice(&self.interface_id.to_le_bytes());
            out.extend_from_slice(&high_word_first(self.timestamp).to_le_bytes());
            OptionWriter::new(out)
                .number(OPTION_ISB_STARTTIME, self.starttime.map(high_word_first))
                .number(OPTION_ISB_ENDTIME, self.endtime.map(high_word_first))
                .number(OPTION_ISB_IFRECV, self.ifrecv)
                .number(OPTION_ISB_IFDROP, self.ifdrop)
                .number(OPTION_ISB_FILTERACCEPT, self.filteraccept)
                .number(OPTION_ISB_OSDROP, self.osdrop)
                .number(OPTION_ISB_USRDELIV, self.usrdeliv)
                .text(OPTION_COMMENT, self.comment)
                .end();
        });
    }
}

/// Returns the number whose little-endian bytes are the timestamp's two words, the high one first.
fn high_word_first(timestamp: Timestamp) -> u64 {
    timestamp.as_ns().rotate_left(32)
}
