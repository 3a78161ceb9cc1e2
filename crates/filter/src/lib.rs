//! pcap-filter(7) text to verified classic BPF, and what runs it.
//!
//! libpcap compiles ([`Program::compile`]), an own verifier decides whether the result may run
//! ([`Program::verify`]), and an interpreter runs it ([`Program::run`]) with the answers of
//! libpcap's `bpf_filter`, bit for bit.

mod compile;
mod handle;
mod instruction;
mod interpret;
mod lexer;
mod op;
mod program;
mod verify;

pub use compile::{
    COMPILE_TIME_MS_MAX, CompileError, EXPRESSION_BYTES_MAX, EXPRESSION_TERMS_MAX,
    OPTIMISED_INSTRUCTIONS_MAX,
};
pub use instruction::Instruction;
pub use interpret::LOOP_INSTRUCTIONS_PER_PACKET_MAX;
pub use program::Program;
pub use verify::{PROGRAM_INSTRUCTIONS_MAX, VerifyError};
