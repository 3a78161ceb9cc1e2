use super::*;
use crate::Program;

const ACCEPT: Instruction = Instruction::statement(code::RET_K, 1);

/// Verifies one instruction with two accepting ends behind it.
fn verdict(instruction: Instruction) -> Result<(), VerifyError> {
    Program::verify(vec![instruction, ACCEPT, ACCEPT]).map(drop)
}

fn statement(code: u16, k: u32) -> Result<(), VerifyError> {
    verdict(Instruction::statement(code, k))
}

#[test]
fn knows_exactly_the_codes_of_bpf_filter() {
    // The codes that libpcap's `bpf_filter` has a case for, one bit each by class.
    let loads = [0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80];
    let index_loads = [0x01, 0x61, 0x81, 0xb1];
    let stores = [0x02, 0x03];
    let arithmetic = [0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xa4];
    let jumps = [0x15, 0x25, 0x35, 0x45];
    let others = [0x84, 0x05, 0x06, 0x16, 0x07, 0x87];
    let with_x = arithmetic.iter().chain(&jumps).map(|code| code | code::WITH_X);
    let mut known: Vec<u16> = with_x.collect();
    known.extend(loads.iter().chain(&index_loads).chain(&stores));
    known.extend(arithmetic.iter().chain(&jumps).chain(&others));
    for code in 0..=u16::MAX {
        let expected = known.contains(&code);
        assert_eq!(statement(code, 1).is_ok(), expected, "{code:#x}");
        if !expected {
            assert_eq!(statement(code, 1), Err(VerifyError::UnknownCode { index: 0, code }));
        }
    }
}

#[test]
fn refuses_jumps_out_of_the_program() {
    let out = Err(VerifyError::JumpOutOfRange { index: 0 });
    assert_eq!(verdict(Instruction::jump(0x15, 0, 0, 1)), Ok(()));
    assert_eq!(verdict(Instruction::jump(0x15, 0, 2, 0)), out);
    assert_eq!(verdict(Instruction::jump(0x15, 0, 0, 2)), out);
    assert_eq!(verdict(Instruction::jump(0x15, 0, u32::MAX, 0)), out);
    assert_eq!(statement(code::JA, 1), Ok(()));
    assert_eq!(statement(code::JA, 2), out);
    assert_eq!(statement(code::JA, i32::MAX.cast_unsigned()), out);
    // Back to itself is the least loop; one further is out.
    assert_eq!(statement(code::JA, (-1i32).cast_unsigned()), Ok(()));
    assert_eq!(statement(code::JA, (-2i32).cast_unsigned()), out);
    assert_eq!(statement(code::JA, i32::MIN.cast_unsigned()), out);
}

#[test]
fn bounds_memory_division_and_shifts() {
    for code in [code::LD_MEM, code::LDX_MEM, code::ST, code::STX] {
        assert_eq!(statement(code, 15), Ok(()));
        for word in [16, 256, u32::MAX] {
            assert_eq!(
                statement(code, word),
                Err(VerifyError::MemoryOutOfRange { index: 0, word })
            );
        }
    }
    for code in [0x34, 0x94] {
        assert_eq!(statement(code, 0), Err(VerifyError::DivisionByZero { index: 0 }));
        assert_eq!(statement(code | code::WITH_X, 0), Ok(()));
    }
    for code in [0x64, 0x74] {
        assert_eq!(statement(code, 31), Ok(()));
        assert_eq!(statement(code, 32), Err(VerifyError::ShiftTooFar { index: 0, bits: 32 }));
        assert_eq!(statement(code | code::WITH_X, 32), Ok(()));
    }
}

#[test]
fn refuses_packet_metadata() {
    let metadata = Err(VerifyError::PacketMetadata { index: 0 });
    for code in [code::LD_W_ABS, code::LD_H_ABS, code::LD_B_ABS] {
        assert_eq!(statement(code, 0xffff_efff), Ok(()));
        assert_eq!(statement(code, 0xffff_f000), metadata);
        assert_eq!(statement(code, 0xffff_f03f), metadata);
        assert_eq!(statement(code, 0xffff_f040), Ok(()));
    }
}

#[test]
fn wants_an_end_on_every_path() {
    assert_eq!(Program::verify(vec![]).unwrap_err(), VerifyError::Empty);
    let fall_through = vec![ACCEPT, Instruction::statement(code::TAX, 0)];
    assert_eq!(Program::verify(fall_through).unwrap_err(), VerifyError::NoReturn);
    assert!(Program::verify(vec![ACCEPT]).is_ok());
    assert!(Program::verify(vec![Instruction::statement(code::RET_A, 0)]).is_ok());
}

#[test]
fn bounds_the_length() {
    let longest = vec![ACCEPT; PROGRAM_INSTRUCTIONS_MAX];
    assert!(Program::verify(longest).is_ok());
    let instructions = PROGRAM_INSTRUCTIONS_MAX + 1;
    assert_eq!(
        Program::verify(vec![ACCEPT; instructions]).unwrap_err(),
        VerifyError::TooLong { instructions }
    );
}

#[test]
fn jumps_may_be_wider_than_eight_bits() {
    let mut program = vec![Instruction::jump(0x15, 0, 300, 0)];
    program.resize(301, Instruction::statement(code::RET_K, 0));
    program.push(ACCEPT);
    assert_eq!(Program::verify(program).unwrap().run(&[], 0), 1);
}
