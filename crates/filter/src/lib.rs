//! pcap-filter(7) text to verified classic BPF, and what runs it.
//!
//! libpcap compiles ([`Program::compile`]), an own verifier decides whether the result may run
//! ([`Program::verify`]), and an interpreter runs it ([`Program::run`]) with the answers of
//! libpcap's `bpf_filter`, bit for bit. Filters in order of precedence become one program
//! ([`Chain`]), and either becomes native code where that can be had ([`Matcher`]). And a filter
//! can be asked whether a packet of which only some bytes are known could pass ([`may_match`]).

mod chain;
mod compile;
mod handle;
mod instruction;
mod interpret;
mod lexer;
mod matcher;
#[cfg(feature = "native")]
mod native;
mod op;
mod program;
mod prune;
mod step;
mod verify;

pub use chain::{CHAIN_INSTRUCTIONS_MAX, Chain, ChainError};
pub use compile::{
    COMPILE_TIME_MS_MAX, CompileError, EXPRESSION_BYTES_MAX, EXPRESSION_TERMS_MAX,
    OPTIMISED_INSTRUCTIONS_MAX,
};
pub use instruction::Instruction;
pub use interpret::LOOP_INSTRUCTIONS_PER_PACKET_MAX;
pub use matcher::{Engine, Matcher};
#[cfg(feature = "native")]
pub use native::{NATIVE_INSTRUCTIONS_MAX, Native, NativeError};
pub use program::Program;
pub use prune::{AbstractPacket, KNOWN_BYTES_MAX, PRUNE_STEPS_MAX, may_match};
pub use verify::{PROGRAM_INSTRUCTIONS_MAX, VerifyError};
