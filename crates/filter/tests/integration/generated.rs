//! Generated filters and programs on generated packets: everything answers as libpcap does.

use weir_filter::{CompileError, Program};
use weir_model::LinkType;

use crate::generate::{Choices, Sample, random_filter, random_packet, random_program};
use crate::reference::Reference;
use crate::rounds;

const PACKETS_PER_FILTER: usize = 24;

fn packets(choices: &mut Choices) -> Vec<Sample> {
    (0..PACKETS_PER_FILTER).map(|_| random_packet(choices)).collect()
}

#[test]
fn filters_answer_as_libpcap_does() {
    let handle = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
    let (mut compiled, mut matched) = (0u64, 0u64);
    let filters = rounds(12_000, 200_000);
    for seed in 0..filters {
        let mut choices = Choices::new(seed);
        let expression = random_filter(&mut choices, 6);
        let ours = Program::compile(&expression, LinkType::ETHERNET, 65_535);
        let theirs = handle.compile(&expression, true);
        let (program, theirs) = match (ours, theirs) {
            (Ok(program), Ok(theirs)) => (program, theirs),
            (Err(CompileError::Refused { .. } | CompileError::RejectsAll { .. }), Err(_)) => {
                continue;
            }
            (ours, theirs) => {
                let theirs = theirs.map(|_| ());
                panic!("seed {seed}: {expression}: {ours:?}, libpcap {theirs:?}");
            }
        };
        compiled += 1;
        let reference = Reference::new(&program);
        for packet in packets(&mut choices) {
            let Sample { bytes, wire_bytes } = &packet;
            let answer = program.run(bytes, *wire_bytes);
            assert_eq!(
                answer,
                reference.run(bytes, *wire_bytes),
                "seed {seed}: {expression} on {bytes:02x?} of {wire_bytes}"
            );
            // The crate's own call, of a program that the crate's own handle compiled. After
            // `geneve` fails, libpcap goes on with memory that nobody has written.
            let whole = u32::try_from(bytes.len()).unwrap();
            if !expression.contains("geneve") {
                let ours = program.run(bytes, whole) != 0;
                let theirs = theirs.filter(bytes);
                assert_eq!(ours, theirs, "seed {seed}: {expression} on {bytes:02x?}");
            }
            matched += u64::from(answer != 0);
        }
    }
    // Neither side may be right by never having anything to say.
    let runs = compiled * PACKETS_PER_FILTER as u64;
    assert!(compiled >= filters * 5 / 6, "only {compiled} of {filters} filters compile");
    assert!((runs / 5..=runs * 4 / 5).contains(&matched), "{matched} of {runs} match");
}

#[test]
fn programs_answer_as_libpcap_does() {
    let mut accepted = 0u64;
    let programs = rounds(40_000, 2_000_000);
    for seed in 0..programs {
        let mut choices = Choices::new(seed);
        let instructions = random_program(&mut choices);
        let program = Program::verify(instructions).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let reference = Reference::new(&program);
        for _ in 0..4 {
            let length = choices.below(64);
            let packet: Vec<u8> = (0..length).map(|_| choices.any() as u8 & 0x1f).collect();
            let wire_bytes = choices.pick(&[0, length, 1_514, u32::MAX]);
            let answer = program.run(&packet, wire_bytes);
            assert_eq!(
                answer,
                reference.run(&packet, wire_bytes),
                "seed {seed}: {:?} on {packet:02x?} of {wire_bytes}",
                program.instructions()
            );
            accepted += u64::from(answer != 0);
        }
    }
    assert!(
        accepted >= programs * 2 / 3,
        "only {accepted} of {} runs return a number",
        programs * 4
    );
}
