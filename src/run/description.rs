//! What segments say about this machine, this program and these ports.

use weir_capture::{Description, InterfaceText};
use weir_dpdk::DriverKind;

use super::ports::{OpenPort, OpenPorts};
use crate::build_info;
use crate::config::Config;

/// Describes a capture.
pub(crate) fn describe(config: &Config, ports: &mut OpenPorts) -> Description {
    let filter = config.capture.filter.as_ref().and_then(|program| program.expression());
    let interfaces = ports
        .ports
        .iter_mut()
        .zip(&config.ports)
        .map(|(port, wanted)| interface(port, wanted.description.clone(), filter))
        .collect();
    Description {
        hardware: cpu_model().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        os: os(),
        program: build_info::program(),
        snaplen_bytes: config.capture.snaplen_bytes,
        interfaces,
    }
}

fn interface(
    port: &mut OpenPort,
    description: Option<String>,
    filter: Option<&str>,
) -> InterfaceText {
    let timestamp_error_bound_ns = port.timestamp_error_bound_ns();
    let knows_missed_packets = port.started.read_counters().missed_packets.known().is_some();
    let info = port.started.info();
    let speed_mbps = port.started.link().speed_mbps;
    InterfaceText {
        name: info.name.clone(),
        description,
        mac: info.mac.filter(|_| info.kind == DriverKind::Other).map(|mac| mac.0),
        speed_bits_per_second: speed_mbps.map(|mbps| u64::from(mbps) * 1_000_000),
        filter: filter.map(str::to_owned),
        hardware: format!("DPDK {}", info.driver),
        timestamp_source: port.timestamps,
        timestamp_error_bound_ns,
        knows_missed_packets,
    }
}

/// Returns kernel name, release and version.
fn os() -> String {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {} {}", text(name.sysname()), text(name.release()), text(name.version()))
}

fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
