//! Hashes of keys, for tables in memory.

use core::hash::{Hash, Hasher};

use super::FlowKey;

impl FlowKey {
    /// Hashes the key for a table in memory, with a `seed` that an attacker does not know.
    ///
    /// Three folded multiplications: fast and well mixed, but no cryptographic hash, and no part
    /// of any file format.
    #[inline]
    pub fn hash64(&self, seed: u64) -> u64 {
        let [low, low_rest] = halves(&self.low_address);
        let [high, high_rest] = halves(&self.high_address);
        let ports = u64::from(self.low_port) << 48
            | u64::from(self.high_port) << 32
            | u64::from(self.vlan_ids[0]) << 16
            | u64::from(self.vlan_ids[1]);
        let kinds =
            u64::from(self.protocol) << 16 | u64::from(self.version) << 8 | self.port_kind as u64;
        let addresses = fold(low ^ MIX_A ^ seed, high ^ MIX_B)
            ^ fold(low_rest ^ MIX_C ^ seed.rotate_left(32), high_rest ^ MIX_D);
        fold(addresses ^ ports, kinds ^ MIX_E ^ seed.rotate_left(17))
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, low_rest] = halves(&self.low_address);
        let [high, high_rest] = halves(&self.high_address);
        state.write_u64(low);
        state.write_u64(high);
        if self.version == 6 {
            state.write_u64(low_rest);
            state.write_u64(high_rest);
        }
        state.write_u64(
            u64::from(self.low_port) << 48
                | u64::from(self.high_port) << 32
                | u64::from(self.vlan_ids[0]) << 16
                | u64::from(self.vlan_ids[1]),
        );
        state.write_u32(
            u32::from(self.protocol) << 16 | u32::from(self.version) << 8 | self.port_kind as u32,
        );
    }
}

/// Splits an address into two numbers, in memory order.
#[inline(always)]
fn halves(address: &[u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(*address);
    [whole as u64, (whole >> 64) as u64]
}

// The constants are digits of pi, as good as any that nobody chose.
const MIX_A: u64 = 0x243f_6a88_85a3_08d3;
const MIX_B: u64 = 0x1319_8a2e_0370_7344;
const MIX_C: u64 = 0xa409_3822_299f_31d0;
const MIX_D: u64 = 0x082e_fa98_ec4e_6c89;
const MIX_E: u64 = 0x4528_21e6_38d0_1377;

/// Multiplies to 128 bits and folds the halves together.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
