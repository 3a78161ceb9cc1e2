//! What the data path calls: a filter or a chain, by the fastest engine that there is.

use crate::{Chain, Program};

/// How a [`Matcher`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Machine code for this CPU.
    Native,
    /// Operation by operation.
    Interpreter,
}

impl Engine {
    /// Returns the name that stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Interpreter => "interpreter",
        }
    }
}

/// A filter or a chain, ready to run. Cloning it copies a pointer.
///
/// It is native code where the feature `native` is built in, Cranelift knows the CPU, and the
/// operating system lets memory become executable; else it is interpreted, with the same answers.
#[derive(Clone, Debug)]
pub struct Matcher(Inner);

#[derive(Clone, Debug)]
enum Inner {
    #[cfg(feature = "native")]
    Native(crate::Native),
    Program(Program),
    Chain(Chain),
}

impl Matcher {
    /// Prepares a filter. Making native code of it takes about a millisecond for each thousand
    /// instructions.
    pub fn of_program(program: &Program) -> Self {
        #[cfg(feature = "native")]
        if let Ok(native) = crate::Native::compile(program) {
            return Self(Inner::Native(native));
        }
        Self::interpreting_program(program)
    }

    /// Prepares a chain. Making native code of it takes about a millisecond for each thousand
    /// instructions.
    pub fn of_chain(chain: &Chain) -> Self {
        #[cfg(feature = "native")]
        if let Ok(native) = crate::Native::compile_chain(chain) {
            return Self(Inner::Native(native));
        }
        Self::interpreting_chain(chain)
    }

    /// Prepares a filter for the interpreter, whatever else there is.
    pub fn interpreting_program(program: &Program) -> Self {
        Self(Inner::Program(program.clone()))
    }

    /// Prepares a chain for the interpreter, whatever else there is.
    pub fn interpreting_chain(chain: &Chain) -> Self {
        Self(Inner::Chain(chain.clone()))
    }

    /// Runs on a packet, as [`Program::run`] or [`Chain::run`] does.
    #[inline]
    pub fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        match &self.0 {
            #[cfg(feature = "native")]
            Inner::Native(native) => native.run(packet, wire_bytes),
            Inner::Program(program) => program.run(packet, wire_bytes),
            Inner::Chain(chain) => chain.run(packet, wire_bytes),
        }
    }

    /// Returns how it runs.
    pub fn engine(&self) -> Engine {
        match &self.0 {
            #[cfg(feature = "native")]
            Inner::Native(_) => Engine::Native,
            Inner::Program(_) | Inner::Chain(_) => Engine::Interpreter,
        }
    }
}
