//! Native code: the same programs, as machine code for this CPU.
//!
//! Cranelift makes it, from the operations that the verifier let through. It gives the
//! interpreter's answers at a fraction of its cost, and takes longer to prepare.

mod code;
mod generate;
mod reach;

use std::sync::Arc;

use cranelift_codegen::CodegenError;
use cranelift_codegen::settings::SetError;
use cranelift_module::ModuleError;

use crate::op::Op;
use crate::{Chain, Program};
use code::Code;

/// The longest program or chain that is compiled, in instructions.
///
/// Cranelift's time grows faster than the program; up to here it stays within a few seconds.
pub const NATIVE_INSTRUCTIONS_MAX: usize = 65_536;

/// Why there is no native code.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// Too long.
    #[error("{instructions} instructions are more than {NATIVE_INSTRUCTIONS_MAX}")]
    TooLong {
        /// How many instructions there are.
        instructions: usize,
    },
    /// Cranelift does not know this CPU.
    #[error("no code generator for this CPU: {reason}")]
    UnknownCpu {
        /// What Cranelift said.
        reason: &'static str,
    },
    /// Cranelift does not know one of the settings that this crate asks of it.
    #[error("the code generator refuses a setting: {0}")]
    Setting(#[from] SetError),
    /// Cranelift does not make code for this CPU.
    #[error("the code generator fails: {0}")]
    Codegen(#[from] CodegenError),
    /// Cranelift made no code, or the operating system gave it no executable memory.
    #[error("no native code: {0}")]
    Module(#[from] Box<ModuleError>),
}

/// A filter or a chain as native code. Cloning it copies a pointer; the code is freed with the
/// last clone.
#[derive(Clone, Debug)]
pub struct Native {
    code: Arc<Code>,
}

impl Native {
    /// Makes native code of a filter.
    ///
    /// # Errors
    ///
    /// [`NativeError`] if there can be none; the filter can still be interpreted.
    pub fn compile(program: &Program) -> Result<Self, NativeError> {
        Self::of_ops(program.ops())
    }

    /// Makes native code of a chain.
    ///
    /// # Errors
    ///
    /// [`NativeError`] if there can be none; the chain can still be interpreted.
    pub fn compile_chain(chain: &Chain) -> Result<Self, NativeError> {
        Self::of_ops(chain.ops())
    }

    fn of_ops(ops: &[Op]) -> Result<Self, NativeError> {
        if ops.len() > NATIVE_INSTRUCTIONS_MAX {
            return Err(NativeError::TooLong { instructions: ops.len() });
        }
        Ok(Self { code: Arc::new(Code::of(ops)?) })
    }

    /// Runs on a packet, as [`Program::run`] or [`Chain::run`] does.
    #[inline]
    pub fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        self.code.run(packet, wire_bytes)
    }
}

#[cfg(test)]
mod tests;
