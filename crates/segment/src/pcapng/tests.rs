use pcap_parser::{Block as Parsed, parse_block_le};
use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{LinkType, Timestamp};

use super::*;

/// pcap-parser's options of a block, without their end.
fn options(parsed: &[pcap_parser::PcapNGOption<'_>]) -> Vec<(u16, Vec<u8>)> {
    parsed
        .iter()
        .filter(|option| option.code.0 != 0)
        .map(|option| (option.code.0, option.value[..usize::from(option.len)].to_vec()))
        .collect()
}

fn parse(block: &[u8]) -> Parsed<'_> {
    let (rest, parsed) = parse_block_le(block).unwrap();
    assert!(rest.is_empty());
    parsed
}

fn any_fields() -> impl Strategy<Value = (EpbFields, Vec<u8>)> {
    let dropcount = prop_oneof![Just(0), any::<u64>()];
    let data = vec(any::<u8>(), 0..200);
    let options = (dropcount, any::<Option<u32>>(), any::<Option<u32>>());
    let wire_bytes = prop_oneof![0_u32..300, any::<u32>()];
    (any::<u32>(), any::<u64>(), data, wire_bytes, options).prop_map(
        |(interface_id, ns, data, wire_bytes, (dropcount, queue, hash))| {
            let fields = EpbFields {
                interface_id,
                timestamp: Timestamp::from_ns(ns),
                captured_bytes: data.len() as u32,
                wire_bytes,
                dropcount,
                queue,
                hash,
            };
            (fields, data)
        },
    )
}

proptest! {
    #[test]
    fn packets_are_read_back_by_pcap_parser((fields, data) in any_fields()) {
        let mut out = vec![0xEE; epb_bytes(&fields) + 5];
        let bytes = write_epb(&mut out, &fields, |area| area.copy_from_slice(&data));
        prop_assert_eq!(bytes, epb_bytes(&fields));
        prop_assert!(bytes <= data.len() + EPB_OVERHEAD_BYTES_MAX);
        prop_assert!(out[bytes..].iter().all(|&byte| byte == 0xEE), "it wrote behind the block");
        let Parsed::EnhancedPacket(packet) = parse(&out[..bytes]) else { panic!() };
        let ns = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        prop_assert_eq!(packet.if_id, fields.interface_id);
        prop_assert_eq!(ns, fields.timestamp.as_ns());
        prop_assert_eq!(packet.caplen, fields.captured_bytes);
        prop_assert_eq!(packet.origlen, fields.wire_bytes.max(fields.captured_bytes));
        prop_assert_eq!(&packet.data[..data.len()], &data[..]);
        prop_assert!(packet.data[data.len()..].iter().all(|&byte| byte == 0), "padding leaks");
        let mut expected = Vec::new();
        if fields.dropcount != 0 {
            expected.push((4, fields.dropcount.to_le_bytes().to_vec()));
        }
        if let Some(queue) = fields.queue {
            expected.push((6, queue.to_le_bytes().to_vec()));
        }
        if let Some(hash) = fields.hash {
            expected.push((3, [&[5], &hash.to_be_bytes()[..]].concat()));
        }
        prop_assert_eq!(options(&packet.options), expected);
    }

    #[test]
    fn packets_are_read_back_by_our_own_reader((fields, data) in any_fields()) {
        let mut out = vec![0xEE; epb_bytes(&fields)];
        write_epb(&mut out, &fields, |area| area.copy_from_slice(&data));
        let mut reader = BlockReader::new(&out);
        let block = reader.next().unwrap().unwrap();
        let packet = block.enhanced_packet().unwrap().unwrap();
        let wire_bytes = fields.wire_bytes.max(fields.captured_bytes);
        prop_assert_eq!(packet.fields, EpbFields { wire_bytes, ..fields });
        prop_assert_eq!(packet.data, &data[..]);
        prop_assert!(reader.next().is_none());
    }

    /// Gathering first and slicing afterwards makes the same block, whatever lay behind the slice.
    #[test]
    fn a_packet_sliced_in_place_is_as_if_written_short(
        (fields, data) in any_fields(),
        behind in vec(any::<u8>(), 0..100),
    ) {
        let mut written = vec![0; epb_bytes(&fields)];
        write_epb(&mut written, &fields, |area| area.copy_from_slice(&data));
        let gathered = [&data[..], &behind].concat();
        let mut in_place = vec![0xEE; gathered.len() + EPB_OVERHEAD_BYTES_MAX];
        in_place[EPB_BODY_OFFSET_BYTES..][..gathered.len()].copy_from_slice(&gathered);
        let bytes = finish_epb_in_place(&mut in_place, &fields);
        prop_assert_eq!(&in_place[..bytes], &written[..]);
    }

    #[test]
    fn a_plain_packet_is_as_if_written_with_its_fields(
        (fields, _) in any_fields(),
        data in prop_oneof![vec(any::<u8>(), 0..300), vec(any::<u8>(), 1500..1504)],
    ) {
        let captured_bytes = data.len() as u32;
        let fields = EpbFields { captured_bytes, dropcount: 0, hash: None, ..fields };
        let mut written = vec![0; epb_bytes(&fields)];
        write_epb(&mut written, &fields, |area| area.copy_from_slice(&data));
        let plain = match fields.queue {
            Some(queue) => plain::<QUEUE_TAIL_BYTES>(&fields, queue, &data),
            None => plain::<TAIL_BYTES>(&fields, 0, &data),
        };
        prop_assert_eq!(plain, written);
    }

    #[test]
    fn the_reader_survives_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    /// Bytes that begin well and then go wrong reach deeper than random ones.
    #[test]
    fn the_reader_survives_damaged_blocks(
        (fields, data) in any_fields(),
        damages in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut out = vec![0; epb_bytes(&fields)];
        write_epb(&mut out, &fields, |area| area.copy_from_slice(&data));
        for (at, byte) in damages {
            let at = at.index(out.len());
            out[at] = byte;
        }
        read_all(&out);
    }
}

fn plain<const TAIL: usize>(fields: &EpbFields, queue: u32, data: &[u8]) -> Vec<u8> {
    let plain = PlainEpb::<TAIL>::new(fields.interface_id, queue);
    let mut out = vec![0xEE; plain.bytes(data.len())];
    plain.write(&mut out, fields.timestamp, fields.wire_bytes, data);
    out
}

/// Reads everything there is to read, and holds the reader to its bounds.
fn read_all(bytes: &[u8]) {
    let mut covered = 0;
    for block in BlockReader::new(bytes) {
        let Ok(block) = block else { return };
        assert_eq!(block.offset, covered);
        covered += block.body.len() + 12;
        let packet = block.enhanced_packet();
        if let Some(Ok(packet)) = packet {
            assert!(packet.fields.captured_bytes <= packet.fields.wire_bytes);
        }
        block.options(20).for_each(drop);
    }
    assert_eq!(covered, bytes.len());
}

#[test]
fn the_overhead_is_what_every_option_takes() {
    let fields = EpbFields {
        captured_bytes: 1,
        dropcount: 1,
        queue: Some(1),
        hash: Some(1),
        ..Default::default()
    };
    assert_eq!(epb_bytes(&fields), 1 + EPB_OVERHEAD_BYTES_MAX);
    assert_eq!(epb_bytes(&EpbFields::default()), 32);
}

#[test]
#[should_panic]
fn a_buffer_that_is_too_short_is_refused() {
    let fields = EpbFields { captured_bytes: 4, ..Default::default() };
    finish_epb_in_place(&mut [0; 35], &fields);
}

#[test]
fn a_section_header_is_read_back() {
    let header = SectionHeader {
        hardware: Some("machine"),
        os: Some("Linux"),
        userappl: Some("weir 0.1"),
        comment: Some("a comment"),
    };
    let mut out = Vec::new();
    header.append_to(&mut out);
    let Parsed::SectionHeader(section) = parse(&out) else { panic!() };
    assert_eq!((section.major_version, section.minor_version, section.section_len), (1, 0, -1));
    let texts = [(2, "machine"), (3, "Linux"), (4, "weir 0.1"), (1, "a comment")];
    let expected = texts.map(|(code, text)| (code, text.as_bytes().to_vec()));
    assert_eq!(options(&section.options), expected);
}

#[test]
fn an_interface_is_read_back() {
    let interface = InterfaceDescription {
        name: Some("tap0"),
        description: Some("north"),
        mac: Some([1, 2, 3, 4, 5, 6]),
        speed_bits_per_second: Some(10_000_000_000),
        filter: Some("tcp"),
        hardware: Some("net_null"),
        os: Some("Linux"),
        comment: Some("a comment"),
        ..InterfaceDescription::new(LinkType(1), 262_144)
    };
    let mut out = Vec::new();
    interface.append_to(&mut out);
    let Parsed::InterfaceDescription(read) = parse(&out) else { panic!() };
    assert_eq!((read.linktype.0, read.snaplen, read.if_tsresol), (1, 262_144, 9));
    let expected = [
        (2, b"tap0".to_vec()),
        (3, b"north".to_vec()),
        (6, vec![1, 2, 3, 4, 5, 6]),
        (8, 10_000_000_000_u64.to_le_bytes().to_vec()),
        (9, vec![9]),
        (11, b"\0tcp".to_vec()),
        (15, b"net_null".to_vec()),
        (12, b"Linux".to_vec()),
        (1, b"a comment".to_vec()),
    ];
    assert_eq!(options(&read.options), expected);
}

#[test]
fn statistics_leave_out_what_is_not_known() {
    let timestamp = Timestamp::from_ns(0x0102_0304_0506_0708);
    let known = InterfaceStatistics {
        interface_id: 3,
        timestamp,
        starttime: Some(timestamp),
        ifrecv: Some(0),
        usrdeliv: Some(9),
        ..Default::default()
    };
    let mut out = Vec::new();
    known.append_to(&mut out);
    let Parsed::InterfaceStatistics(read) = parse(&out) else { panic!() };
    assert_eq!((read.if_id, read.ts_high, read.ts_low), (3, 0x0102_0304, 0x0506_0708));
    let expected = [
        (2, vec![4, 3, 2, 1, 8, 7, 6, 5]),
        // A known 0 is written.
        (4, vec![0; 8]),
        (8, 9_u64.to_le_bytes().to_vec()),
    ];
    assert_eq!(options(&read.options), expected);

    let mut out = Vec::new();
    InterfaceStatistics::default().append_to(&mut out);
    assert_eq!(out.len(), 24, "a block without options has none, not even their end");
}

#[test]
fn texts_are_cut_at_a_character_to_what_an_option_holds() {
    // 65,534 bytes, and a character of two across the edge.
    let text = format!("{}éé", "x".repeat(65_534));
    let mut out = Vec::new();
    SectionHeader { comment: Some(&text), ..Default::default() }.append_to(&mut out);
    let Parsed::SectionHeader(section) = parse(&out) else { panic!() };
    assert_eq!(options(&section.options), [(1, text.as_bytes()[..65_534].to_vec())]);

    // A filter has one byte less.
    let mut out = Vec::new();
    let interface = InterfaceDescription::new(LinkType::ETHERNET, 96);
    InterfaceDescription { filter: Some(&text[1..]), ..interface }.append_to(&mut out);
    let Parsed::InterfaceDescription(read) = parse(&out) else { panic!() };
    let filter = options(&read.options).into_iter().find(|(code, _)| *code == 11).unwrap().1;
    assert_eq!(filter.len(), 65_534);
    assert!(std::str::from_utf8(&filter[1..]).is_ok());
}

#[test]
fn blocks_that_contradict_themselves_are_refused() {
    let fields =
        EpbFields { captured_bytes: 6, wire_bytes: 6, queue: Some(7), ..Default::default() };
    let mut sound = vec![0; epb_bytes(&fields)];
    write_epb(&mut sound, &fields, |area| area.fill(0x11));
    let refused = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        match BlockReader::new(&bytes).next().unwrap() {
            Err(error) => error.kind,
            Ok(block) => block.enhanced_packet().unwrap().unwrap_err().kind,
        }
    };
    assert_eq!(refused(4, 51), ReadErrorKind::Length);
    assert_eq!(refused(4, 8), ReadErrorKind::Length);
    assert_eq!(refused(5, 1), ReadErrorKind::Cut);
    assert_eq!(refused(sound.len() - 4, 0), ReadErrorKind::LengthMismatch);
    assert_eq!(refused(20, 7), ReadErrorKind::PacketLength);
    assert_eq!(refused(24, 5), ReadErrorKind::PacketLength);
    assert_eq!(refused(34, 1), ReadErrorKind::Padding);
    assert_eq!(refused(38, 5), ReadErrorKind::Option);
    assert_eq!(refused(38, 200), ReadErrorKind::Option);
    let cut = BlockReader::new(&sound[..20]).next().unwrap().unwrap_err();
    assert_eq!((cut.offset, cut.kind), (0, ReadErrorKind::Cut));
}

#[test]
fn big_endian_sections_are_refused() {
    let mut out = Vec::new();
    SectionHeader::default().append_to(&mut out);
    out[8..12].reverse();
    let error = BlockReader::new(&out).next().unwrap().unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::SectionHeader);
}

/// The conformance files of another project: every little-endian one of them is walked to its end.
#[test]
fn the_conformance_suite_is_read() {
    let folder = std::env::var_os("WEIR_PCAPS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
        std::path::PathBuf::from,
    );
    let suite = folder.join("pcapng-suite");
    let Ok(entries) = std::fs::read_dir(&suite) else {
        println!("skipped: there is no conformance suite at {}", suite.display());
        return;
    };
    let mut read = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "pcapng") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let is_little_endian = bytes[8..12] == BYTE_ORDER_MAGIC.to_le_bytes();
        let blocks = BlockReader::new(&bytes).take_while(Result::is_ok).count();
        assert_eq!(is_little_endian, blocks > 0, "{}", path.display());
        read += usize::from(is_little_endian);
    }
    assert!(read > 0);
}
