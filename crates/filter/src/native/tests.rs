use weir_model::LinkType;

use super::*;
use crate::instruction::code;
use crate::{Engine, Instruction, LOOP_INSTRUCTIONS_PER_PACKET_MAX, Matcher};

fn program(instructions: &[(u16, u32, u32, u32)]) -> Program {
    let instructions =
        instructions.iter().map(|&(code, jt, jf, k)| Instruction { code, jt, jf, k });
    Program::verify(instructions.collect()).unwrap()
}

/// Runs natively and asserts that the interpreter says the same.
fn run(program: &Program, packet: &[u8], wire_bytes: u32) -> u32 {
    let native = Native::compile(program).unwrap().run(packet, wire_bytes);
    assert_eq!(native, program.run(packet, wire_bytes));
    native
}

#[test]
fn runs_natively_on_this_machine() {
    let program = Program::compile("ip", LinkType::ETHERNET, 96).unwrap();
    assert_eq!(Matcher::of_program(&program).engine(), Engine::Native);
    assert_eq!(Matcher::interpreting_program(&program).engine(), Engine::Interpreter);
}

#[test]
fn reads_no_byte_beyond_the_packet() {
    // The packets lie inside a larger buffer, so that a load too far would find something.
    let buffer: Vec<u8> = (1..=64).collect();
    for code in [code::LD_W_ABS, code::LD_H_ABS, code::LD_B_ABS, code::LDX_MSH] {
        for length in 0..8 {
            for offset in [0, 1, 2, 3, 4, 5, 6, 7, 8, u32::MAX, 1 << 31] {
                let load = (code, 0, 0, offset);
                let accept = program(&[load, (code::RET_K, 0, 0, 9)]);
                run(&accept, &buffer[..length], 9);
                let value = program(&[load, (code::RET_A, 0, 0, 0)]);
                run(&value, &buffer[..length], 9);
            }
        }
    }
    for code in [code::LD_W_IND, code::LD_H_IND, code::LD_B_IND] {
        for (x, offset) in
            [(0, 6), (6, 0), (3, 3), (u32::MAX, 2), (2, u32::MAX), (1 << 31, 1 << 31)]
        {
            for length in 0..12 {
                let load = [(code::LDX_IMM, 0, 0, x), (code, 0, 0, offset), (code::RET_A, 0, 0, 0)];
                run(&program(&load), &buffer[..length], 9);
            }
        }
    }
}

/// A load on one path must not vouch for a load behind where paths meet.
#[test]
fn a_load_proves_its_length_only_on_its_own_path() {
    let program = program(&[
        (code::LD_LEN, 0, 0, 0),
        (0x15, 0, 1, 7),
        (code::LD_W_ABS, 0, 0, 20),
        (code::LD_B_ABS, 0, 0, 10),
        (code::RET_K, 0, 0, 9),
    ]);
    for length in [0, 10, 11, 23, 24] {
        for wire_bytes in [7, 8] {
            let reaches = length >= if wire_bytes == 7 { 24 } else { 11 };
            assert_eq!(run(&program, &[0; 32][..length], wire_bytes), u32::from(reaches) * 9);
        }
    }
}

#[test]
fn loops_spend_the_same_budget() {
    for turns in [0, 1, LOOP_INSTRUCTIONS_PER_PACKET_MAX / 3, LOOP_INSTRUCTIONS_PER_PACKET_MAX] {
        for count in turns..turns + 3 {
            let program = program(&[
                (0x04, 0, 0, 1),
                (0x15, 1, 0, count),
                (code::JA, 0, 0, (-3i32).cast_unsigned()),
                (code::RET_A, 0, 0, 0),
            ]);
            run(&program, &[], 0);
        }
    }
}

/// The generator must leave out what is not reached, and still end every block.
#[test]
fn takes_programs_with_dead_code() {
    let accept = (code::RET_K, 0, 0, 5);
    let dead_jump = program(&[accept, (code::JA, 0, 0, 0), accept]);
    let dead_branch = program(&[accept, (0x15, 1, 0, 0), accept, accept]);
    let dead_loop = program(&[accept, (0x04, 0, 0, 1), (code::JA, 0, 0, (-2i32).cast_unsigned())]);
    let dead_loop_out = program(&[
        (code::JA, 0, 0, 3),
        (0x04, 0, 0, 1),
        (0x15, 1, 0, 3),
        (code::JA, 0, 0, (-3i32).cast_unsigned()),
        accept,
    ]);
    let self_loop = program(&[accept, (code::JA, 0, 0, u32::MAX)]);
    for program in [dead_jump, dead_branch, dead_loop, dead_loop_out, self_loop] {
        assert_eq!(run(&program, &[], 0), 5);
    }
}

#[test]
fn a_chain_goes_on_after_filters_that_cannot_reject() {
    let accept = Program::compile("", LinkType::ETHERNET, 96).unwrap();
    let ip = Program::compile("ip", LinkType::ETHERNET, 96).unwrap();
    for programs in
        [vec![], vec![accept.clone()], vec![accept.clone(), ip.clone()], vec![ip, accept]]
    {
        let chain = Chain::new(&programs).unwrap();
        let native = Native::compile_chain(&chain).unwrap();
        for packet in [&[][..], &[0; 60]] {
            assert_eq!(native.run(packet, 60), chain.run(packet, 60));
        }
    }
}

#[test]
fn limits_the_length() {
    let longest = vec![(code::TAX, 0, 0, 0); NATIVE_INSTRUCTIONS_MAX - 1];
    let longest: Vec<_> = longest.into_iter().chain([(code::RET_K, 0, 0, 5)]).collect();
    let longest = program(&longest);
    assert_eq!(run(&longest, &[], 0), 5);
    let chain = Chain::new(&[longest]).unwrap();
    assert!(matches!(Native::compile_chain(&chain), Err(NativeError::TooLong { .. })));
    assert_eq!(Matcher::of_chain(&chain).engine(), Engine::Interpreter);
    assert_eq!(Matcher::of_chain(&chain).run(&[], 0), 1);
}

#[test]
fn code_is_freed_and_is_never_writable_and_executable() {
    let executable = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.lines().any(|line| line.contains("rwx")), "{maps}");
        maps.lines().filter(|line| line.contains("r-xp") && line.trim_end().ends_with(" 0")).count()
    };
    let program = Program::compile("tcp port 80", LinkType::ETHERNET, 96).unwrap();
    let before = executable();
    let natives: Vec<_> = (0..64).map(|_| Native::compile(&program).unwrap()).collect();
    assert!(executable() > before);
    let clone = natives[0].clone();
    drop(natives);
    // Other tests run at the same time and have code of their own.
    assert!(executable() < before + 32);
    clone.run(&[0; 60], 60);
}

#[test]
fn is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Matcher>();
    let program = Program::compile("ip", LinkType::ETHERNET, 96).unwrap();
    let matcher = Matcher::of_program(&program);
    let there = std::thread::spawn({
        let matcher = matcher.clone();
        move || matcher.run(&[0; 60], 60)
    });
    assert_eq!(there.join().unwrap(), matcher.run(&[0; 60], 60));
}
