use super::*;
use crate::instruction::code;
use crate::{Instruction, Program};

fn run(program: &[(u16, u32)], packet: &[u8], wire_bytes: u32) -> u32 {
    let statements = program.iter().map(|&(code, k)| Instruction::statement(code, k));
    let ends = [Instruction::statement(code::RET_A, 0)];
    let program = Program::verify(statements.chain(ends).collect()).unwrap();
    program.run(packet, wire_bytes)
}

#[test]
fn loads_are_big_endian_and_end_with_the_packet() {
    let packet = [1, 2, 3, 4, 5];
    assert_eq!(run(&[(code::LD_W_ABS, 1)], &packet, 5), 0x0203_0405);
    assert_eq!(run(&[(code::LD_H_ABS, 3)], &packet, 5), 0x0405);
    assert_eq!(run(&[(code::LD_B_ABS, 4)], &packet, 5), 5);
    for (code, offset) in [(code::LD_W_ABS, 2), (code::LD_H_ABS, 4), (code::LD_B_ABS, 5)] {
        // Not merely 0 in A: what follows must not run.
        assert_eq!(run(&[(code, offset), (code::LD_IMM, 9)], &packet, 9), 0);
        assert_eq!(run(&[(code, u32::MAX), (code::LD_IMM, 9)], &packet, 9), 0);
    }
}

#[test]
fn an_indexed_load_does_not_wrap() {
    let packet = [7; 8];
    for code in [code::LD_W_IND, code::LD_H_IND, code::LD_B_IND] {
        assert_ne!(run(&[(code::LDX_IMM, 2), (code, 2)], &packet, 8), 0);
        // X + k is 1 in 32 bits.
        assert_eq!(run(&[(code::LDX_IMM, 2), (code, u32::MAX), (code::LD_IMM, 9)], &packet, 8), 0);
        assert_eq!(run(&[(code::LDX_IMM, u32::MAX), (code, 2), (code::LD_IMM, 9)], &packet, 8), 0);
    }
}

#[test]
fn everything_starts_as_zero() {
    assert_eq!(run(&[], &[], 0), 0);
    assert_eq!(run(&[(code::TXA, 0), (0x04, 5)], &[], 0), 5);
    for word in 0..16 {
        assert_eq!(run(&[(code::LD_IMM, 1), (code::LD_MEM, word), (0x04, 5)], &[], 0), 5);
    }
}

#[test]
fn len_is_the_wire_length() {
    assert_eq!(run(&[(code::LD_LEN, 0)], &[1, 2], 1_514), 1_514);
    assert_eq!(run(&[(code::LDX_LEN, 0), (code::TXA, 0)], &[1, 2], 1_514), 1_514);
}

#[test]
fn division_by_an_x_of_zero_rejects() {
    for code in [0x3c, 0x9c] {
        assert_eq!(run(&[(code::LD_IMM, 9), (code, 0), (code::LD_IMM, 9)], &[], 0), 0);
    }
}

#[test]
fn a_shift_by_32_or_more_leaves_zero() {
    for code in [0x6c, 0x7c] {
        for bits in [32, 33, u32::MAX] {
            let program = [(code::LD_IMM, u32::MAX), (code::LDX_IMM, bits), (code, 0), (0x04, 5)];
            assert_eq!(run(&program, &[], 0), 5);
        }
    }
}

#[test]
fn msh_is_an_ipv4_header_length() {
    assert_eq!(run(&[(code::LDX_MSH, 1), (code::TXA, 0)], &[0, 0x4f], 2), 60);
    assert_eq!(run(&[(code::LDX_MSH, 2), (code::LD_IMM, 9)], &[0, 0x4f], 2), 0);
}

/// Adds 1 to A and jumps back two, forever.
const ENDLESS: [Instruction; 2] =
    [Instruction::statement(0x04, 1), Instruction::statement(code::JA, (-2i32).cast_unsigned())];

#[test]
fn an_endless_loop_rejects_when_its_budget_is_spent() {
    assert_eq!(Program::verify(ENDLESS.to_vec()).unwrap().run(&[], 0), 0);
}

#[test]
fn a_loop_may_use_its_whole_budget_and_no_more() {
    // The loop is four instructions long, so each turn costs four.
    let turns = |count: u32| {
        let program = vec![
            Instruction::statement(0x04, 1),
            Instruction::jump(0x15, count, 1, 0),
            Instruction::statement(code::JA, (-3i32).cast_unsigned()),
            Instruction::statement(code::RET_A, 0),
        ];
        Program::verify(program).unwrap().run(&[], 0)
    };
    let turns_max = LOOP_INSTRUCTIONS_PER_PACKET_MAX / 3;
    assert_eq!(turns(turns_max + 1), turns_max + 1);
    assert_eq!(turns(turns_max + 2), 0);
}
