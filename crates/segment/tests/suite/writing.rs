//! What a segment holds is what was written, however it was written.

use pcap_parser::{Block as Parsed, PcapBlockOwned, PcapNGSlice};
use proptest::prelude::*;
use weir_model::Timestamp;
use weir_segment::zstd_frame::LONE_FRAME_HEADER;
use weir_segment::{BlockEncoder, ChunkDecoder, Compression, Part, RotationPolicy, Walk, verify};

use crate::disk::MemoryDisk;
use crate::support::{
    LEVEL_1, Packet, create, fill_blocks, statistics, synthetic_packets, write_segment,
};

fn any_packet() -> impl Strategy<Value = Packet> {
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        (any::<u8>(), 0_usize..2000).prop_map(|(byte, bytes)| vec![byte; bytes]),
    ];
    (any::<u64>(), data, 0_u32..2, any::<u32>(), any::<Option<u32>>()).prop_map(
        |(ns, data, interface_id, wire_bytes, hash)| {
            let mut packet = Packet::new(ns, data);
            packet.fields.interface_id = interface_id;
            packet.fields.wire_bytes = wire_bytes.max(packet.fields.captured_bytes);
            packet.fields.hash = hash;
            packet
        },
    )
}

/// Decompresses as any zstd library would, and reads the packets by another parser.
fn read_all(bytes: &[u8], compression: Compression) -> Vec<(u32, u64, u32, Vec<u8>)> {
    let raw = match compression {
        Compression::None => bytes.to_vec(),
        Compression::Zstd { .. } => zstd::stream::decode_all(bytes).unwrap(),
    };
    let blocks = PcapNGSlice::from_slice(&raw).unwrap();
    blocks
        .filter_map(|block| match block.unwrap() {
            PcapBlockOwned::NG(Parsed::EnhancedPacket(packet)) => {
                let ns = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = packet.data[..packet.caplen as usize].to_vec();
                Some((packet.if_id, ns, packet.origlen, data))
            }
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_packet_comes_back(
        packets in prop::collection::vec(any_packet(), 0..60),
        block_bytes in 3000_usize..20_000,
        level in prop::sample::select(vec![None, Some(-5), Some(-1), Some(1), Some(3)]),
    ) {
        let compression = level.map_or(Compression::None, |level| Compression::Zstd { level });
        let mut disk = MemoryDisk::default();
        let sealed = write_segment(&mut disk, compression, &fill_blocks(&packets, block_bytes));
        let bytes = disk.bytes(&sealed.name.to_string()).unwrap();
        let expected: Vec<_> = packets
            .iter()
            .map(|Packet { fields, data }| {
                (fields.interface_id, fields.timestamp.as_ns(), fields.wire_bytes, data.clone())
            })
            .collect();
        prop_assert!(read_all(&bytes, compression) == expected);
        let verified = verify(bytes.as_slice()).unwrap();
        prop_assert!(verified.is_clean() && verified.is_sealed);
        prop_assert_eq!(verified.tally, sealed.tally);
        prop_assert_eq!(bytes.len() as u64, sealed.stored_bytes);
    }

    /// The walk covers any file, whatever is in it, without a gap, and ends.
    #[test]
    fn any_file_is_walked_from_end_to_end(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
        doubled in any::<prop::sample::Index>(),
        is_plain in any::<bool>(),
    ) {
        let compression = if is_plain { Compression::None } else { LEVEL_1 };
        let mut disk = MemoryDisk::default();
        let blocks = fill_blocks(&synthetic_packets(6, 1), 3000);
        let sealed = write_segment(&mut disk, compression, &blocks);
        let mut bytes = disk.bytes(&sealed.name.to_string()).unwrap();
        let from = doubled.index(bytes.len());
        bytes.extend_from_within(from..);
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let mut walk = Walk::new(bytes.as_slice()).unwrap();
        let mut at = 0;
        while let Some(part) = walk.next_part().unwrap() {
            let range = match part {
                Part::Head(found) => 0..found.end,
                Part::Chunk(chunk) => chunk.range,
                Part::End { .. } => at..at + 7,
                Part::Damage(damage) => damage.range,
            };
            prop_assert_eq!(range.start, at);
            prop_assert!(range.end > range.start);
            at = range.end;
        }
        prop_assert_eq!(at, bytes.len() as u64);
        verify(bytes.as_slice()).unwrap();
    }
}

#[test]
fn levels_change_between_blocks() {
    let mut disk = MemoryDisk::default();
    let mut writer = create(&mut disk, LEVEL_1);
    let blocks = fill_blocks(&synthetic_packets(600, 1), 40_000);
    for (block, level) in blocks.iter().zip([-7, 19, 1, -1, 9, 3].into_iter().cycle()) {
        writer.set_level(level).unwrap();
        writer.append_block(&block.raw, &block.tally).unwrap();
    }
    assert!(writer.set_level(23).is_err());
    assert!(writer.set_level(i32::MIN).is_err());
    let name = writer.name().to_string();
    writer.seal(&mut disk, &statistics(600)).unwrap();
    let bytes = disk.bytes(&name).unwrap();
    assert_eq!(read_all(&bytes, LEVEL_1).len(), 600);
    let verified = verify(bytes.as_slice()).unwrap();
    assert!(verified.is_clean() && verified.is_sealed);
}

/// Blocks that other encoders made ready make the same file.
#[test]
fn blocks_are_compressed_apart() {
    let blocks = fill_blocks(&synthetic_packets(300, 1), 40_000);
    let mut alone = MemoryDisk::default();
    let sealed = write_segment(&mut alone, LEVEL_1, &blocks);
    let mut disk = MemoryDisk::default();
    let mut writer = create(&mut disk, LEVEL_1);
    let mut encoders = [BlockEncoder::new(LEVEL_1).unwrap(), BlockEncoder::new(LEVEL_1).unwrap()];
    for (index, block) in blocks.iter().enumerate() {
        let mut encoded = encoders[index % 2].encode(&block.raw).unwrap();
        let appended = writer.append_encoded(&mut encoded, &block.tally).unwrap();
        assert_eq!(appended.stored_bytes, encoded.stored_bytes());
    }
    let mut plain = BlockEncoder::new(Compression::None).unwrap();
    let mut encoded = plain.encode(&blocks[0].raw).unwrap();
    assert!(writer.append_encoded(&mut encoded, &blocks[0].tally).is_err());
    writer.seal(&mut disk, &statistics(300)).unwrap();
    let name = sealed.name.to_string();
    assert!(disk.bytes(&name) == alone.bytes(&name));
}

/// Each chunk decompresses with nothing but itself, in any order.
#[test]
fn chunks_decompress_alone() {
    let blocks = fill_blocks(&synthetic_packets(300, 1), 40_000);
    let mut disk = MemoryDisk::default();
    let sealed = write_segment(&mut disk, LEVEL_1, &blocks);
    let bytes = disk.bytes(&sealed.name.to_string()).unwrap();
    let mut walk = Walk::new(bytes.as_slice()).unwrap();
    let mut chunks = Vec::new();
    while let Some(part) = walk.next_part().unwrap() {
        if let Part::Chunk(chunk) = part {
            chunks.push((chunk, walk.payload().to_vec()));
        }
    }
    chunks.pop();
    assert_eq!(chunks.len(), blocks.len());
    for (index, (chunk, payload)) in chunks.iter().enumerate().rev() {
        let mut decoder = ChunkDecoder::new().unwrap();
        assert!(decoder.decode(chunk, payload, true).unwrap() == blocks[index].raw);
        // A second frame hidden behind an early end would decompress here and nowhere else.
        let hidden = [payload, &[1, 0, 0][..], &LONE_FRAME_HEADER, payload].concat();
        let mut twice = chunk.clone();
        twice.header.raw_bytes *= 2;
        assert!(decoder.decode(&twice, &hidden, true).is_err(), "an early end is not seen");
    }
}

/// Rotation loses no block: every packet is in exactly one segment, in order.
#[test]
fn rotation_loses_nothing() {
    let packets = synthetic_packets(900, 6);
    let policy = RotationPolicy { segment_bytes_max: Some(60_000), interval_ns: Some(200_000) };
    let mut disk = MemoryDisk::default();
    let mut open = None;
    let mut names = Vec::new();
    for block in fill_blocks(&packets, 15_000) {
        let now = block.tally.last;
        let mut writer = open.take().unwrap_or_else(|| create(&mut disk, LEVEL_1));
        writer.append_block(&block.raw, &block.tally).unwrap();
        let bytes = writer.written().stored_bytes;
        if policy.should_rotate(now, Timestamp::EPOCH, bytes).is_some() {
            names.push(writer.seal(&mut disk, &[]).unwrap().name.to_string());
        } else {
            open = Some(writer);
        }
    }
    if let Some(writer) = open {
        names.push(writer.seal(&mut disk, &[]).unwrap().name.to_string());
    }
    assert!(names.len() > 3);
    let read: Vec<_> = names
        .iter()
        .flat_map(|name| read_all(&disk.bytes(name).unwrap(), LEVEL_1))
        .map(|(_, ns, _, data)| (ns, data))
        .collect();
    let expected: Vec<_> =
        packets.into_iter().map(|packet| (packet.fields.timestamp.as_ns(), packet.data)).collect();
    assert!(read == expected);
}

#[test]
fn a_block_that_is_too_large_is_refused() {
    let mut disk = MemoryDisk::default();
    let mut writer = create(&mut disk, LEVEL_1);
    let before = writer.written();
    let raw = vec![0; weir_segment::BLOCK_BYTES_MAX + 1];
    assert!(writer.append_block(&raw, &Default::default()).is_err());
    assert_eq!(writer.written(), before);
    assert!(writer.is_sound());
}
