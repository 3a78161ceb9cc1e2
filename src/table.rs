//! The numbers as a table, at the end of a capture and for `weir stats`.

use weir_telemetry::{NicCounter, Stats};

use crate::text::{grouped, say};

/// Prints the numbers for people.
pub(crate) fn print(stats: &Stats) {
    let state = serde_json::to_value(stats.state).ok();
    let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or("unknown");
    say!("state       {state}, up {:.1} s, generation {}", stats.uptime_seconds, stats.generation);
    print_accounting(stats);
    for port in &stats.ports {
        let link = match port.link.up {
            Some(true) => "up",
            Some(false) => "down",
            None => "unknown",
        };
        say!(
            "port {:<6} {} ({}), link {link}: received {}, missed {}",
            port.port,
            port.name,
            port.driver,
            grouped(port.received_packets),
            known(&port.nic.missed_packets),
        );
    }
    for lcore in &stats.lcores {
        let stages: Vec<&str> = lcore.stages.iter().map(|stage| stage.stage.as_str()).collect();
        say!(
            "lcore {:<5} cpu {}, busy {:.0} %: {}",
            lcore.lcore,
            lcore.cpu,
            lcore.busy_ratio * 100.0,
            stages.join(", "),
        );
    }
    print_output(stats);
}

fn print_accounting(stats: &Stats) {
    let accounting = &stats.accounting;
    let rows = [
        ("received", accounting.received_packets, accounting.received_bytes),
        ("= stored", accounting.stored_packets, accounting.stored_bytes),
        ("  sliced", 0, accounting.sliced_bytes),
        ("+ filtered", accounting.filtered_packets, accounting.filtered_bytes),
        ("+ rejected", accounting.rejected_packets, accounting.rejected_bytes),
        ("+ shed", accounting.shed_packets, accounting.shed_bytes),
        ("+ lost", accounting.lost_packets, accounting.lost_bytes),
        ("+ in flight", accounting.in_flight_packets, accounting.in_flight_bytes),
    ];
    say!("{:<11} {:>18} {:>22}", "", "packets", "bytes");
    for (name, packets, bytes) in rows {
        say!("{name:<11} {:>18} {:>22}", grouped(packets), grouped(bytes));
    }
    say!("unexplained {:>18} {:>22}", accounting.unexplained_packets, accounting.unexplained_bytes);
    let lost = &accounting.lost;
    let causes = [
        ("ring full", lost.ring_full_packets),
        ("no free block", lost.pool_exhausted_packets),
        ("malformed mbuf", lost.malformed_mbuf_packets),
        ("disk full", lost.disk_full_packets),
        ("I/O error", lost.io_error_packets),
    ];
    for (cause, packets) in causes.into_iter().filter(|(_, packets)| *packets > 0) {
        say!("  lost to {cause}: {}", grouped(packets));
    }
}

fn print_output(stats: &Stats) {
    let output = &stats.output;
    let ratio = output
        .compression_ratio
        .map_or_else(String::new, |ratio| format!(", compressed {ratio:.2} times"));
    say!(
        "output      {}: {} bytes in {} sealed segment(s){ratio}, {} packets durable",
        output.directory,
        grouped(output.stored_bytes),
        output.sealed_segments,
        grouped(output.durable_packets),
    );
    if output.unsealed_segments > 0 {
        say!("            {} segment(s) could not be sealed", output.unsealed_segments);
    }
}

fn known(counter: &NicCounter) -> String {
    counter.value.map_or_else(|| "unknown".to_owned(), grouped)
}
