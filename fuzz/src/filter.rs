//! What the filter targets do with their bytes. An ordinary test replays the corpora through the
//! same functions, so this file depends on nothing that only fuzzing has.
#![allow(dead_code)] // Each target uses one of the two.

use weir_filter::{AbstractPacket, Chain, Instruction, Native, Program, may_match};
use weir_model::LinkType;

/// The link types that the first byte of an input chooses from.
const LINK_TYPES: [u16; 8] = [1, 0, 1, 101, 105, 113, 276, 1];

/// Programs up to this length are made native code of, and no longer ones: it is slow.
const NATIVE_INSTRUCTIONS_MAX: usize = 300;

/// Compiles a text: one byte of link type, then the expression.
pub fn compile(data: &[u8]) {
    let Some((&first, text)) = data.split_first() else { return };
    let link_type = LinkType(LINK_TYPES[usize::from(first) % LINK_TYPES.len()]);
    let text = String::from_utf8_lossy(text);
    let program = match Program::compile(&text, link_type, 96) {
        Ok(program) => program,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(program.expression(), Some(&*text));
    let again = Program::verify(program.instructions().to_vec()).expect("it was verified");
    assert_eq!(program.instructions(), again.instructions());
    for packet in [&[][..], &[0; 64], data] {
        let answer = agreed(&program, packet, 64);
        assert!(answer == 0 || answer == 96, "{answer}");
    }
}

/// Runs a program on a packet: the number of instructions, eight bytes for each as in libpcap's
/// `struct bpf_insn` (big-endian), four bytes of wire length, the packet.
pub fn run(data: &[u8]) {
    let Some((program, wire_bytes, packet)) = parse(data) else { return };
    let Ok(program) = Program::verify(program) else { return };
    agreed(&program, packet, wire_bytes);
}

fn parse(data: &[u8]) -> Option<(Vec<Instruction>, u32, &[u8])> {
    let (&count, mut rest) = data.split_first()?;
    let mut program = Vec::new();
    for _ in 0..count {
        let (&[c0, c1, jt, jf, k0, k1, k2, k3], after) = rest.split_first_chunk()?;
        let code = u16::from_be_bytes([c0, c1]);
        let k = u32::from_be_bytes([k0, k1, k2, k3]);
        program.push(Instruction { code, jt: jt.into(), jf: jf.into(), k });
        rest = after;
    }
    let (wire_bytes, packet) = rest.split_first_chunk()?;
    Some((program, u32::from_be_bytes(*wire_bytes), packet))
}

/// Runs by every engine, and returns the answer that all of them give.
fn agreed(program: &Program, packet: &[u8], wire_bytes: u32) -> u32 {
    let answer = program.run(packet, wire_bytes);
    let twice = Chain::new(&[program.clone(), program.clone()]).expect("two filters are short");
    assert_eq!(twice.run(packet, wire_bytes), u32::from(answer != 0));
    if program.instructions().len() <= NATIVE_INSTRUCTIONS_MAX {
        let native = Native::compile(program).expect("a short program has native code");
        assert_eq!(native.run(packet, wire_bytes), answer);
        let native = Native::compile_chain(&twice).expect("and so has a chain of two");
        assert_eq!(native.run(packet, wire_bytes), u32::from(answer != 0));
    }
    pruned(program, packet, wire_bytes, answer != 0);
    answer
}

/// Runs abstractly, with less and less known.
fn pruned(program: &Program, packet: &[u8], wire_bytes: u32, passes: bool) {
    let mut known = AbstractPacket::new();
    known.set_bytes(0, packet);
    known.set_wire_bytes(wire_bytes..=wire_bytes);
    let captured_bytes = u32::try_from(packet.len()).expect("inputs are short");
    known.set_captured_bytes(captured_bytes..=captured_bytes);
    // A loop that outlasts its budget rejects, which the abstract run does not follow.
    let is_jump_back = |i: &Instruction| i.code == 0x05 && i.k.cast_signed() < 0;
    if program.instructions().iter().any(is_jump_back) {
        assert!(may_match(program, &known) || !passes);
    } else {
        assert_eq!(may_match(program, &known), passes);
    }
    for (offset, &byte) in (0..).zip(packet) {
        known.set_bits(offset, byte, byte.rotate_left(3) ^ 0x5a);
    }
    known.set_wire_bytes(wire_bytes / 2..=u32::MAX);
    assert!(may_match(program, &known) || !passes);
    known.clear();
    assert!(may_match(program, &known) || !passes);
}
