use weir_model::LinkType;

use super::*;
use crate::Instruction;
use crate::instruction::code;

fn compile(expression: &str) -> Program {
    Program::compile(expression, LinkType::ETHERNET, 262_144).unwrap()
}

fn chain(expressions: &[&str]) -> Chain {
    let programs: Vec<_> = expressions.iter().map(|expression| compile(expression)).collect();
    Chain::new(&programs).unwrap()
}

fn frame(ethertype: u16) -> [u8; 14] {
    let mut frame = [0; 14];
    frame[12..].copy_from_slice(&ethertype.to_be_bytes());
    frame
}

#[test]
fn the_first_match_wins() {
    let chain = chain(&["arp", "ip or ip6", "ip6", ""]);
    for (ethertype, number) in [(0x0806, 1), (0x0800, 2), (0x86dd, 2), (0x88cc, 4)] {
        assert_eq!(chain.run(&frame(ethertype), 14), number);
    }
}

#[test]
fn no_filter_never_matches() {
    let empty = Chain::new(&[]).unwrap();
    assert_eq!(empty.run(&[], 0), 0);
    assert!(empty.programs().is_empty());
    assert_eq!(chain(&["arp", "ip"]).run(&frame(0x86dd), 14), 0);
}

#[test]
fn a_short_packet_rejects_one_filter_and_not_the_chain() {
    assert_eq!(chain(&["tcp port 80", "ip", "len = 14"]).run(&frame(0x0800), 14), 2);
    assert_eq!(
        chain(&["ether[1000] = 0", "ether[0] / ether[1] = 1", "len < 4"]).run(&[0, 0], 2),
        3
    );
}

#[test]
fn every_filter_starts_from_zero() {
    let leave = [(code::LD_IMM, 7), (code::TAX, 0), (code::ST, 3), (code::RET_K, 0)];
    let find = [(code::LD_MEM, 3), (0x0c, 0), (code::RET_A, 0)];
    let program = |statements: &[(u16, u32)]| {
        let statements = statements.iter().map(|&(code, k)| Instruction::statement(code, k));
        Program::verify(statements.collect()).unwrap()
    };
    let chain = Chain::new(&[program(&leave), program(&find), compile("")]).unwrap();
    assert_eq!(chain.run(&[], 0), 3);
}

#[test]
fn what_a_filter_returns_decides_as_it_runs() {
    let wire_length = |k| {
        let statements = [
            Instruction::statement(code::LD_LEN, 0),
            Instruction::statement(0x14, k),
            Instruction::statement(code::RET_A, 0),
        ];
        Program::verify(statements.to_vec()).unwrap()
    };
    let chain = Chain::new(&[wire_length(5), wire_length(6), wire_length(6)]).unwrap();
    assert_eq!(chain.run(&[], 5), 2);
    assert_eq!(chain.run(&[], 6), 1);
}

#[test]
fn every_filter_has_its_own_loop_budget() {
    let endless = Program::verify(vec![Instruction::statement(code::JA, u32::MAX)]).unwrap();
    let mut packet = vec![0; 54];
    packet[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
    packet[20] = 60;
    packet.extend([59, 0, 0, 0, 0, 0, 0, 0]);
    let chain = Chain::new(&[endless.clone(), endless, compile("ip6 protochain 59")]).unwrap();
    assert_eq!(chain.run(&packet, 62), 3);
}

#[test]
fn limits_the_length() {
    let longest = vec![Instruction::statement(code::RET_K, 0); PROGRAM_INSTRUCTIONS_MAX];
    let longest = Program::verify(longest).unwrap();
    assert!(Chain::new(&vec![longest.clone(); 16]).is_ok());
    let too_long = Chain::new(&vec![longest; 17]).unwrap_err();
    let instructions = 17 * PROGRAM_INSTRUCTIONS_MAX;
    assert_eq!(too_long, ChainError::TooLong { filters: 17, instructions });
}
