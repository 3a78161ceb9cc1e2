//! Where what a file holds and what `net_pcap` delivers differ, and why: the one list of what a
//! replay may do to a packet.

use crate::support::captures::{Row, Source};

/// A difference that the driver makes, before Weir sees the packet.
pub(super) struct Difference {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
    pub(super) effect: Effect,
}

/// What a difference does.
pub(super) enum Effect {
    /// Changes packets wherever there is something to change, and returns in how many.
    Changes(fn(&mut Source) -> usize),
    /// These files are not opened at all.
    Refuses(&'static [&'static str]),
    /// Some of the records of these files are passed over.
    PassesOver(&'static [&'static str]),
}

/// Every difference there is. Nothing else may differ, and each of these must occur.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "nanoseconds cut",
        reason: "the driver opens files in microseconds (pcap_open_offline) and its dynamic field \
                 counts microseconds",
        effect: Effect::Changes(cut_nanoseconds),
    },
    Difference {
        name: "time before 1970",
        reason: "the driver's field is unsigned: what libpcap reads as negative comes as the end \
                 of time, beyond what 64 bits of nanoseconds hold",
        effect: Effect::Changes(end_of_time),
    },
    Difference {
        name: "wire length lost",
        reason: "the driver sets pkt_len to the captured length; there is no other field for it",
        effect: Effect::Changes(lose_wire_length),
    },
    Difference {
        name: "too long for an mbuf chain",
        reason: "eth_pcap_rx_jumbo counts the bytes that are left in 16 bits: beyond 65,536 bytes \
                 and what the first mbuf takes, the mbufs do not add up to pkt_len, and the \
                 packet is counted as malformed_mbuf",
        effect: Effect::Changes(lose_long_packets),
    },
    Difference {
        name: "link type taken for Ethernet",
        reason: "the driver does not look at the file's link type, and a port is an Ethernet port",
        effect: Effect::Changes(take_for_ethernet),
    },
    Difference {
        name: "file refused",
        reason: "libpcap does not open it: a version that it does not know, an option beyond its \
                 block, or no interface described before the end",
        effect: Effect::Refuses(&[
            "malformed/libpcap_pcap-invalid-version-1.pcap",
            "malformed/libpcap_pcap-invalid-version-2.pcap",
            "malformed/libpcap_pcapng-invalid-vers-1.pcapng",
            "malformed/libpcap_pcapng-invalid-vers-2.pcapng",
            "malformed/libpcap_shb-option-too-long.pcapng",
            "pcapng-suite/be_basic_test002.pcapng",
            "pcapng-suite/be_basic_test017.pcapng",
            "pcapng-suite/le_basic_test002.pcapng",
            "pcapng-suite/le_basic_test017.pcapng",
        ]),
    },
    Difference {
        name: "records passed over",
        reason: "libpcap reads no file whose interfaces differ in link type or snaplen, nor half a \
                 record at the end; the driver counts an error and polls on, so that what can be \
                 read behind it is delivered",
        effect: Effect::PassesOver(&[
            "malformed/ndpi_fuzz-2021-10-13.pcap",
            "pcapng-suite/be_advanced_test100.pcapng",
            "pcapng-suite/be_advanced_test101.pcapng",
            "pcapng-suite/be_advanced_test102.pcapng",
            "pcapng-suite/be_basic_test004.pcapng",
            "pcapng-suite/be_basic_test005.pcapng",
            "pcapng-suite/be_basic_test006.pcapng",
            "pcapng-suite/be_basic_test008.pcapng",
            "pcapng-suite/be_basic_test014.pcapng",
            "pcapng-suite/be_difficult_test200.pcapng",
            "pcapng-suite/be_difficult_test201.pcapng",
            "pcapng-suite/be_difficult_test202.pcapng",
            "pcapng-suite/le_advanced_test100.pcapng",
            "pcapng-suite/le_advanced_test101.pcapng",
            "pcapng-suite/le_advanced_test102.pcapng",
            "pcapng-suite/le_basic_test004.pcapng",
            "pcapng-suite/le_basic_test005.pcapng",
            "pcapng-suite/le_basic_test006.pcapng",
            "pcapng-suite/le_basic_test008.pcapng",
            "pcapng-suite/le_basic_test014.pcapng",
            "pcapng-suite/le_difficult_test200.pcapng",
            "pcapng-suite/le_difficult_test201.pcapng",
            "pcapng-suite/le_difficult_test202.pcapng",
            "zeek_pcapng_126_interfaces.pcapng",
        ]),
    },
];

/// `LINKTYPE_ETHERNET`.
pub(super) const ETHERNET: i32 = 1;

/// The shortest packet that does not come whole: 16 bits, and the first mbuf's 2,176 bytes less
/// its headroom of 128. What is between the two comes whole because the count wraps twice.
const LONG_BYTES: usize = (1 << 16) + 2_176 - 128;

fn cut_nanoseconds(source: &mut Source) -> usize {
    change_each(source, |packet| {
        // As C divides: towards zero.
        packet.ns -= i128::from(packet.fraction_ns % 1_000);
        packet.fraction_ns -= packet.fraction_ns % 1_000;
    })
}

fn end_of_time(source: &mut Source) -> usize {
    change_each(source, |packet| {
        if packet.ns < 0 {
            packet.ns = i128::from(u64::MAX);
        }
    })
}

fn lose_wire_length(source: &mut Source) -> usize {
    change_each(source, |packet| packet.wire_bytes = packet.data.len() as u32)
}

fn change_each(
    source: &mut Source,
    change: impl Fn(&mut crate::support::captures::SourcePacket),
) -> usize {
    let mut changed = 0;
    for packet in &mut source.packets {
        let before = (packet.ns, packet.wire_bytes);
        change(packet);
        changed += usize::from(before != (packet.ns, packet.wire_bytes));
    }
    changed
}

fn lose_long_packets(source: &mut Source) -> usize {
    let before = source.packets.len();
    source.packets.retain(|packet| packet.data.len() < LONG_BYTES);
    before - source.packets.len()
}

fn take_for_ethernet(source: &mut Source) -> usize {
    let is_other = source.link_type != ETHERNET;
    source.link_type = ETHERNET;
    if is_other { source.packets.len() } else { 0 }
}

/// Returns what a source comes to when the driver has had it.
pub(super) fn apply_all(source: &Source) -> Source {
    let mut expected = source.clone();
    for difference in DIFFERENCES {
        if let Effect::Changes(change) = difference.effect {
            change(&mut expected);
        }
    }
    expected
}

/// Returns whether the list says that the driver does not open a file.
pub(super) fn is_refused(row: &Row) -> bool {
    is_named(row, |effect| match effect {
        Effect::Refuses(names) => Some(names),
        _ => None,
    })
}

/// Returns whether the list says that some of a file's records are passed over.
pub(super) fn is_passed_over(row: &Row) -> bool {
    is_named(row, |effect| match effect {
        Effect::PassesOver(names) => Some(names),
        _ => None,
    })
}

fn is_named(row: &Row, names: impl Fn(&Effect) -> Option<&'static [&'static str]>) -> bool {
    DIFFERENCES
        .iter()
        .filter_map(|difference| names(&difference.effect))
        .any(|names| names.contains(&row.name.as_str()))
}
