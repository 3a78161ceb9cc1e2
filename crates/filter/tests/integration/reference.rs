//! libpcap's own interpreter, as the reference for everything that runs a program.
//!
//! The pcap crate runs it only on programs that it compiled itself, and only with a wire length
//! equal to the captured length. Truncated packets and programs that no expression compiles to
//! need the function itself: this file is the one place that calls it.
#![allow(unsafe_code)]

use weir_filter::Instruction;

/// `struct bpf_insn` of `pcap/bpf.h`.
#[repr(C)]
struct ClassicInstruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

#[link(name = "pcap")]
unsafe extern "C" {
    /// `u_int bpf_filter(const struct bpf_insn *, const u_char *, u_int, u_int)` of `pcap/bpf.h`.
    fn bpf_filter(
        program: *const ClassicInstruction,
        packet: *const u8,
        wire_bytes: u32,
        captured_bytes: u32,
    ) -> u32;
}

/// A program in libpcap's form.
pub struct Reference(Vec<ClassicInstruction>);

impl Reference {
    /// Takes a program that this crate's verifier has passed and that has classic jumps.
    ///
    /// libpcap does not clear the memory before a program runs, and some of its own filters read
    /// what they have not written (`geneve or ...`). So the program is given a start that does.
    pub fn new(program: &weir_filter::Program) -> Self {
        let clear = (0..16).map(|word| Instruction::statement(0x02, word));
        let start: Vec<_> = clear.collect();
        Self(start.iter().chain(program.instructions()).map(ClassicInstruction::from).collect())
    }

    /// Runs libpcap's `bpf_filter`.
    pub fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        let captured_bytes = u32::try_from(packet.len()).unwrap();
        // SAFETY: `bpf_filter` wants a program that ends and stays within itself and its sixteen
        // memory words: `new` takes verified ones only, whose loops, if any, are libpcap's own.
        // It wants `captured_bytes` readable bytes at `packet`: the slice has them.
        unsafe { bpf_filter(self.0.as_ptr(), packet.as_ptr(), wire_bytes, captured_bytes) }
    }
}

impl From<&Instruction> for ClassicInstruction {
    fn from(instruction: &Instruction) -> Self {
        let classic = |skip| u8::try_from(skip).expect("libpcap knows only classic jumps");
        Self {
            code: instruction.code,
            jt: classic(instruction.jt),
            jf: classic(instruction.jf),
            k: instruction.k,
        }
    }
}
