//! Operations to Cranelift's intermediate code.
//!
//! Registers and memory words become variables, which Cranelift turns into values, so that storing
//! and loading them costs nothing. Nothing writes to the packet, so that loads of the same bytes
//! become one.

use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AbiParam, Block, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_module::Module;

use super::reach;
use crate::LOOP_INSTRUCTIONS_PER_PACKET_MAX;
use crate::op::{Arithmetic, Condition, MEMORY_WORDS, Op, Operand, Width};

/// Fills `context` with a function of packet, captured bytes and wire bytes.
pub(super) fn generate(ops: &[Op], module: &dyn Module, context: &mut Context) {
    let pointer = module.target_config().pointer_type();
    let mut signature = module.make_signature();
    signature.params.extend([pointer, pointer, types::I32].map(AbiParam::new));
    signature.returns.push(AbiParam::new(types::I32));
    context.func.signature = signature;

    let mut frontend = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut frontend);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let mut generator = Generator::new(builder, ops, entry);
    for (index, op) in (0u32..).zip(ops) {
        generator.operation(index, *op);
    }
    generator.finish(module);
}

struct Generator<'a> {
    builder: FunctionBuilder<'a>,
    packet: Value,
    captured_bytes: Value,
    wire_bytes: Value,
    a: Variable,
    x: Variable,
    memory: [Variable; MEMORY_WORDS],
    loop_budget: Variable,
    /// Where each operation begins that is jumped to.
    blocks: Box<[Option<Block>]>,
    /// The bytes that the packet is known to have, where an operation can be reached.
    reach: Box<[Option<u64>]>,
    /// Where the filter at hand goes on if it rejects.
    on_reject: Block,
    /// Where a program that is no chain ends if it rejects.
    reject: Block,
    /// Whether the block at hand is still without an end.
    open: bool,
}

impl<'a> Generator<'a> {
    fn new(mut builder: FunctionBuilder<'a>, ops: &[Op], entry: Block) -> Self {
        let &[packet, captured_bytes, wire_bytes] = builder.block_params(entry) else {
            unreachable!("the signature has three parameters");
        };
        let reject = builder.create_block();
        builder.set_cold_block(reject);
        let reach = reach::reach(ops);
        let blocks = blocks_of(ops, &reach, &mut builder);
        let mut generator = Self {
            a: builder.declare_var(types::I32),
            x: builder.declare_var(types::I32),
            memory: [(); MEMORY_WORDS].map(|()| builder.declare_var(types::I32)),
            loop_budget: builder.declare_var(types::I32),
            builder,
            packet,
            captured_bytes,
            wire_bytes,
            blocks,
            reach,
            on_reject: reject,
            reject,
            open: true,
        };
        generator.clear();
        generator
    }

    fn finish(mut self, module: &dyn Module) {
        self.builder.switch_to_block(self.reject);
        let zero = self.constant(0);
        self.builder.ins().return_(&[zero]);
        self.builder.seal_all_blocks();
        self.builder.finalize(module.target_config());
    }

    /// Makes everything zero, as at the start of every filter.
    fn clear(&mut self) {
        let zero = self.constant(0);
        for variable in [self.a, self.x].into_iter().chain(self.memory) {
            self.builder.def_var(variable, zero);
        }
        let budget = self.constant(LOOP_INSTRUCTIONS_PER_PACKET_MAX);
        self.builder.def_var(self.loop_budget, budget);
    }

    fn operation(&mut self, index: u32, op: Op) {
        if let Some(block) = self.blocks[index as usize] {
            if self.open {
                self.builder.ins().jump(block, &[]);
            }
            self.builder.switch_to_block(block);
            self.open = true;
        }
        let Some(reach_bytes) = self.reach[index as usize].filter(|_| self.open) else { return };
        match op {
            Op::BeginFilter { on_reject } => {
                self.clear();
                // There is none if nothing in the filter can reject: then nothing goes there.
                self.on_reject = self.blocks[on_reject as usize].unwrap_or(self.reject);
            }
            Op::LoadAbsolute { width, offset } => {
                let value = self.load_absolute(width, offset, reach_bytes);
                self.builder.def_var(self.a, value);
            }
            Op::LoadIndexed { width, offset } => {
                let value = self.load_indexed(width, offset);
                self.builder.def_var(self.a, value);
            }
            Op::LoadLength => self.builder.def_var(self.a, self.wire_bytes),
            Op::LoadConstant(value) => self.set_constant(self.a, value),
            Op::LoadMemory(word) => self.copy(self.memory[usize::from(word)], self.a),
            Op::LoadXConstant(value) => self.set_constant(self.x, value),
            Op::LoadXMemory(word) => self.copy(self.memory[usize::from(word)], self.x),
            Op::LoadXLength => self.builder.def_var(self.x, self.wire_bytes),
            Op::LoadXHeaderLength(offset) => {
                let byte = self.load_absolute(Width::Byte, offset, reach_bytes);
                let nibble = self.builder.ins().band_imm_u(byte, 0xf);
                let bytes = self.builder.ins().ishl_imm_u(nibble, 2);
                self.builder.def_var(self.x, bytes);
            }
            Op::StoreA(word) => self.copy(self.a, self.memory[usize::from(word)]),
            Op::StoreX(word) => self.copy(self.x, self.memory[usize::from(word)]),
            Op::Arithmetic { operator, operand } => self.arithmetic(operator, operand),
            Op::Negate => {
                let a = self.builder.use_var(self.a);
                let negated = self.builder.ins().ineg(a);
                self.builder.def_var(self.a, negated);
            }
            Op::MoveAToX => self.copy(self.a, self.x),
            Op::MoveXToA => self.copy(self.x, self.a),
            Op::Jump { target } => self.jump(target),
            Op::JumpBack { target, span } => self.jump_back(target, span),
            Op::Branch { condition, operand, if_true, if_false } => {
                self.branch(condition, operand, if_true, if_false);
            }
            Op::Return(value) => {
                let value = self.constant(value);
                self.end(|builder| builder.ins().return_(&[value]));
            }
            Op::ReturnA => {
                let a = self.builder.use_var(self.a);
                self.end(|builder| builder.ins().return_(&[a]));
            }
        }
    }

    fn constant(&mut self, value: u32) -> Value {
        self.builder.ins().iconst(types::I32, i64::from(value))
    }

    fn set_constant(&mut self, variable: Variable, value: u32) {
        let value = self.constant(value);
        self.builder.def_var(variable, value);
    }

    fn copy(&mut self, from: Variable, to: Variable) {
        let value = self.builder.use_var(from);
        self.builder.def_var(to, value);
    }

    fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Constant(value) => self.constant(value),
            Operand::X => self.builder.use_var(self.x),
        }
    }

    /// Ends the block at hand.
    fn end<T>(&mut self, end: impl FnOnce(&mut FunctionBuilder<'a>) -> T) {
        end(&mut self.builder);
        self.open = false;
    }

    fn block(&self, target: u32) -> Block {
        self.blocks[target as usize].expect("every target was given a block")
    }

    fn jump(&mut self, target: u32) {
        let block = self.block(target);
        self.end(|builder| builder.ins().jump(block, &[]));
    }

    /// Rejects the packet if `condition` is not zero, and goes on in a new block.
    fn reject_if(&mut self, condition: Value) {
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, self.on_reject, &[], next, &[]);
        self.builder.switch_to_block(next);
    }

    fn load_absolute(&mut self, width: Width, offset: u32, reach_bytes: u64) -> Value {
        let end = u64::from(offset) + u64::from(width.bytes());
        if end > reach_bytes {
            let end = self.pointer_constant(end);
            let beyond =
                self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, self.captured_bytes);
            self.reject_if(beyond);
        }
        let offset = self.pointer_constant(u64::from(offset));
        self.load(width, offset)
    }

    fn load_indexed(&mut self, width: Width, offset: u32) -> Value {
        // The sum of 32-bit numbers does not wrap in 64 bits.
        let x = self.builder.use_var(self.x);
        let x = self.builder.ins().uextend(types::I64, x);
        let start = self.builder.ins().iadd_imm_u(x, i64::from(offset));
        let end = self.builder.ins().iadd_imm_u(start, i64::from(width.bytes()));
        let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, self.captured_bytes);
        self.reject_if(beyond);
        self.load(width, start)
    }

    fn pointer_constant(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(types::I64, value.cast_signed())
    }

    /// Loads big-endian bytes that are known to be there.
    fn load(&mut self, width: Width, offset: Value) -> Value {
        let address = self.builder.ins().iadd(self.packet, offset);
        // Not `can_move`: a load must stay behind the comparison that guards it.
        let flags = MemFlagsData::new().with_notrap().with_readonly();
        let ty: Type = match width {
            Width::Byte => types::I8,
            Width::Half => types::I16,
            Width::Word => types::I32,
        };
        let value = self.builder.ins().load(ty, flags, address, 0);
        match width {
            Width::Byte => self.builder.ins().uextend(types::I32, value),
            Width::Half => {
                let swapped = self.builder.ins().bswap(value);
                self.builder.ins().uextend(types::I32, swapped)
            }
            Width::Word => self.builder.ins().bswap(value),
        }
    }

    fn arithmetic(&mut self, operator: Arithmetic, operand: Operand) {
        let right = self.operand(operand);
        if matches!((operator, operand), (Arithmetic::Divide | Arithmetic::Modulo, Operand::X)) {
            let is_zero = self.builder.ins().icmp_imm_u(IntCC::Equal, right, 0);
            self.reject_if(is_zero);
        }
        let left = self.builder.use_var(self.a);
        let ins = self.builder.ins();
        let value = match operator {
            Arithmetic::Add => ins.iadd(left, right),
            Arithmetic::Subtract => ins.isub(left, right),
            Arithmetic::Multiply => ins.imul(left, right),
            Arithmetic::Divide => ins.udiv(left, right),
            Arithmetic::Modulo => ins.urem(left, right),
            Arithmetic::Or => ins.bor(left, right),
            Arithmetic::And => ins.band(left, right),
            Arithmetic::Xor => ins.bxor(left, right),
            Arithmetic::ShiftLeft => ins.ishl(left, right),
            Arithmetic::ShiftRight => ins.ushr(left, right),
        };
        let is_shift = matches!(operator, Arithmetic::ShiftLeft | Arithmetic::ShiftRight);
        let value = if is_shift && operand == Operand::X {
            // Cranelift shifts by the amount modulo 32.
            let zero = self.constant(0);
            let in_range = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, right, 32);
            self.builder.ins().select(in_range, value, zero)
        } else {
            value
        };
        self.builder.def_var(self.a, value);
    }

    fn jump_back(&mut self, target: u32, span: u32) {
        let budget = self.builder.use_var(self.loop_budget);
        let spent = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, budget, i64::from(span));
        self.reject_if(spent);
        let left = self.builder.ins().iadd_imm_s(budget, -i64::from(span));
        self.builder.def_var(self.loop_budget, left);
        self.jump(target);
    }

    fn branch(&mut self, condition: Condition, operand: Operand, if_true: u32, if_false: u32) {
        let left = self.builder.use_var(self.a);
        let right = self.operand(operand);
        let ins = self.builder.ins();
        let holds = match condition {
            Condition::Equal => ins.icmp(IntCC::Equal, left, right),
            Condition::Greater => ins.icmp(IntCC::UnsignedGreaterThan, left, right),
            Condition::GreaterOrEqual => ins.icmp(IntCC::UnsignedGreaterThanOrEqual, left, right),
            Condition::AnyBitSet => ins.band(left, right),
        };
        let (if_true, if_false) = (self.block(if_true), self.block(if_false));
        self.end(|builder| builder.ins().brif(holds, if_true, &[], if_false, &[]));
    }
}

/// Makes a block for every operation that one that can be reached jumps to.
fn blocks_of(
    ops: &[Op],
    reach: &[Option<u64>],
    builder: &mut FunctionBuilder<'_>,
) -> Box<[Option<Block>]> {
    let mut blocks: Box<[Option<Block>]> = vec![None; ops.len()].into();
    let mut want = |target: u32| {
        if reach[target as usize].is_some() {
            blocks[target as usize].get_or_insert_with(|| builder.create_block());
        }
    };
    for (op, _) in ops.iter().zip(reach).filter(|(_, reach)| reach.is_some()) {
        match *op {
            Op::Jump { target } | Op::JumpBack { target, .. } => want(target),
            Op::BeginFilter { on_reject } => want(on_reject),
            Op::Branch { if_true, if_false, .. } => {
                want(if_true);
                want(if_false);
            }
            _ => {}
        }
    }
    blocks
}
