//! The one file of this crate that runs machine code, and frees it.
//!
//! Calling a function that was made at run time is beyond what Rust can check: its address is a
//! bare pointer, its signature is our word, and its memory is Cranelift's to map and ours to free.
//! cranelift-jit writes the code to pages that are not executable, and makes them executable and
//! no longer writable before it gives out the address.
#![allow(unsafe_code)]

use core::fmt;
use core::mem::transmute;

use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleError, default_libcall_names};

use super::{NativeError, generate};
use crate::op::Op;

/// The signature of what [`generate`] makes: packet, captured bytes, bytes on the wire.
type Function = unsafe extern "C" fn(*const u8, usize, u32) -> u32;

/// A compiled program.
pub(super) struct Code {
    function: Function,
    /// Holds the code's memory. The lock is never taken: it only says that the module, which may
    /// be sent between threads, is not used by two at once.
    _memory: std::sync::Mutex<Memory>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("function", &self.function).finish_non_exhaustive()
    }
}

impl Code {
    /// Makes machine code of operations that the verifier let through.
    pub(super) fn of(ops: &[Op]) -> Result<Self, NativeError> {
        let mut memory = Memory(Some(new_module()?));
        let module = memory.0.as_mut().expect("it is taken when the memory is dropped");
        let mut context = module.make_context();
        generate::generate(ops, module, &mut context);
        let id = module
            .declare_function("filter", Linkage::Local, &context.func.signature)
            .map_err(Box::new)?;
        module.define_function(id, &mut context).map_err(Box::new)?;
        module.finalize_definitions().map_err(Box::new)?;
        let address = module.get_finalized_function(id);
        // SAFETY: `address` is the entry of a function whose code is complete and executable,
        // since `finalize_definitions` succeeded. `generate` gave it the C calling convention of
        // this platform and the parameters and the result of `Function`.
        let function = unsafe { transmute::<*const u8, Function>(address) };
        Ok(Self { function, _memory: std::sync::Mutex::new(memory) })
    }

    #[inline]
    pub(super) fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        // SAFETY: the code is there as long as `self` holds its memory. It reads nothing but the
        // `len` bytes at the pointer, which the slice has: each load is behind a comparison with
        // `len`, or behind another load that reached as far. It writes nothing, keeps nothing and
        // takes a bounded number of steps.
        unsafe { (self.function)(packet.as_ptr(), packet.len(), wire_bytes) }
    }
}

fn new_module() -> Result<JITModule, NativeError> {
    let mut flags = settings::builder();
    flags.set("opt_level", "speed")?;
    flags.set("is_pic", "false")?;
    flags.set("use_colocated_libcalls", "false")?;
    let cpu = cranelift_native::builder().map_err(|reason| NativeError::UnknownCpu { reason })?;
    let isa = cpu.finish(settings::Flags::new(flags))?;
    Ok(JITModule::new(JITBuilder::with_isa(isa, default_libcall_names())))
}

/// The module that owns the code's pages, freed when dropped: by itself it would leak them.
struct Memory(Option<JITModule>);

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: nothing may run the module's code any more. Only `Code` has its address,
            // never gives it out, and is being dropped, or was never made.
            unsafe { module.free_memory() };
        }
    }
}

impl From<ModuleError> for NativeError {
    fn from(error: ModuleError) -> Self {
        Self::Module(Box::new(error))
    }
}
