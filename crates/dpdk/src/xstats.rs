//! Extended statistics: a driver's own counters by its own names.

#![allow(unsafe_code, reason = "calls DPDK")]

use std::ffi::{CStr, c_uint};
use std::ptr;

use weir_dpdk_sys as sys;

/// Returns all of a port's counters that have a name; none where the driver gives none.
pub(crate) fn read(port: u16) -> Vec<(String, u64)> {
    let Some(names) = names(port) else { return Vec::new() };
    let mut values = vec![sys::rte_eth_xstat::default(); names.len()];
    let room = values.len() as c_uint;
    // SAFETY: DPDK checks the number and writes at most `room` entries.
    let count = unsafe { sys::rte_eth_xstats_get(port, values.as_mut_ptr(), room) };
    // More than there is room for means that counters were added meanwhile, and nothing is set.
    let Some(count) = usize::try_from(count).ok().filter(|&count| count <= values.len()) else {
        return Vec::new();
    };
    values[..count]
        .iter()
        .filter_map(|stat| {
            let name = names.get(usize::try_from(stat.id).ok()?)?;
            Some((name.clone(), stat.value))
        })
        .collect()
}

fn names(port: u16) -> Option<Vec<String>> {
    // SAFETY: DPDK checks the number; with no room it only counts.
    let count = unsafe { sys::rte_eth_xstats_get_names(port, ptr::null_mut(), 0) };
    let count = usize::try_from(count).ok()?;
    let mut names = vec![sys::rte_eth_xstat_name::default(); count];
    // SAFETY: DPDK writes at most as many entries as it is told that there is room for.
    let written =
        unsafe { sys::rte_eth_xstats_get_names(port, names.as_mut_ptr(), count as c_uint) };
    names.truncate(usize::try_from(written).ok()?);
    Some(names.iter().map(name_of).collect())
}

fn name_of(raw: &sys::rte_eth_xstat_name) -> String {
    let bytes = raw.name.map(|byte| byte.cast_unsigned());
    CStr::from_bytes_until_nul(&bytes).unwrap_or_default().to_string_lossy().into_owned()
}
