//! Programs that no expression compiles to: every instruction with every operand.

use weir_filter::Instruction;

use super::Choices;

/// Makes a program that verifies, and has no loop and only classic jumps.
pub fn random_program(choices: &mut Choices) -> Vec<Instruction> {
    let mut program = Vec::new();
    let length = 2 + choices.below(30);
    for index in 0..length {
        let ahead = length - index;
        program.push(instruction(choices, ahead));
    }
    program.push(Instruction::statement(choices.pick(&[0x06, 0x16, 0x16]), 1 + choices.below(3)));
    program
}

/// Makes an instruction with `ahead` instructions after it.
fn instruction(choices: &mut Choices, ahead: u32) -> Instruction {
    match choices.below(10) {
        0..3 => {
            let code = choices.pick(&[0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1]);
            let far = choices.pick(&[60, 61, 62, 1_000, u32::MAX, u32::MAX - 3, 0x8000_0000]);
            let k = if choices.once_in(12) { far } else { choices.below(40) };
            Instruction::statement(code, k)
        }
        3 => {
            let code = choices.pick(&[0x00, 0x01, 0x80, 0x81, 0x07, 0x87, 0x84]);
            Instruction::statement(code, number(choices))
        }
        4 => {
            let code = choices.pick(&[0x60, 0x61, 0x02, 0x03]);
            Instruction::statement(code, choices.below(16))
        }
        5..7 => arithmetic(choices),
        7 if ahead > 1 => Instruction::statement(0x05, choices.below(ahead.min(4))),
        _ => {
            let code = choices.pick(&[0x10, 0x20, 0x30, 0x40]) | 0x05 | choices.pick(&[0, 0x08]);
            let skip = ahead.min(6);
            let (jt, jf) = (choices.below(skip), choices.below(skip));
            Instruction::jump(code, number(choices), jt, jf)
        }
    }
}

fn arithmetic(choices: &mut Choices) -> Instruction {
    let operator: u16 = choices.pick(&[0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0]);
    let k = match operator {
        0x60 | 0x70 => choices.below(32),
        0x30 | 0x90 => number(choices).max(1),
        _ => number(choices),
    };
    Instruction::statement(operator | 0x04 | choices.pick(&[0, 0x08]), k)
}

fn number(choices: &mut Choices) -> u32 {
    let any = choices.any();
    choices.pick(&[
        0,
        1,
        2,
        4,
        31,
        32,
        33,
        64,
        0xff,
        0x0800,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX,
        any,
    ])
}
