//! Filters: expressions that libpcap's grammar has, put together at random.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Choices, IPV4, IPV6, LABELS, MACS, PORTS, VLANS};

/// Makes an expression of up to `terms` terms for Ethernet. libpcap refuses some.
pub fn random_filter(choices: &mut Choices, terms: u32) -> String {
    let terms = 1 + choices.below(terms);
    let mut expression = String::new();
    if choices.once_in(6) {
        expression.push_str(&encapsulation(choices));
        expression.push_str(" and ");
    }
    let mut open = 0;
    for index in 0..terms {
        if index > 0 {
            expression.push_str(choices.pick(&[" and ", " or ", " or ", " && ", " || "]));
        }
        if choices.once_in(5) {
            expression.push_str(choices.pick(&["not ", "!"]));
        }
        if choices.once_in(5) {
            expression.push('(');
            open += 1;
        }
        expression.push_str(&term(choices));
        if open > 0 && choices.once_in(3) {
            expression.push(')');
            open -= 1;
        }
    }
    expression.push_str(&")".repeat(open));
    expression
}

fn encapsulation(choices: &mut Choices) -> String {
    match choices.below(6) {
        0 | 1 => "vlan".to_owned(),
        2 => format!("vlan {}", choices.pick(&VLANS)),
        3 => format!("mpls {}", choices.pick(&LABELS)),
        4 => choices.pick(&["mpls", "pppoes", "pppoes 1", "pppoed"]).to_owned(),
        _ => choices.pick(&["vlan and vlan", "geneve", "vlan 100 and vlan 1"]).to_owned(),
    }
}

fn term(choices: &mut Choices) -> String {
    match choices.below(16) {
        0..3 => protocol(choices).to_owned(),
        3..5 => host(choices),
        5 => net(choices),
        6..9 => port(choices),
        9 => length(choices),
        10 => ethernet(choices),
        11 => numbered_protocol(choices),
        12 if choices.once_in(4) => encapsulation(choices),
        _ => comparison(choices),
    }
}

fn protocol(choices: &mut Choices) -> &'static str {
    choices.pick(&[
        "ip",
        "ip6",
        "arp",
        "rarp",
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "sctp",
        "igmp",
        "ah",
        "esp",
        "pim",
        "vrrp",
        "stp",
        "ipx",
        "netbeui",
        "iso",
        "llc",
        "atalk",
        "ip broadcast",
        "ip multicast",
        "ip6 multicast",
        "ether broadcast",
        "ether multicast",
        "multicast",
    ])
}

fn direction(choices: &mut Choices) -> &'static str {
    choices.pick(&["", "", "src ", "dst ", "src or dst ", "src and dst "])
}

fn ipv4(choices: &mut Choices) -> Ipv4Addr {
    choices.pick(&IPV4).into()
}

fn ipv6(choices: &mut Choices) -> Ipv6Addr {
    choices.pick(&IPV6).into()
}

fn host(choices: &mut Choices) -> String {
    let direction = direction(choices);
    match choices.below(8) {
        0..4 => format!("{direction}host {}", ipv4(choices)),
        4 | 5 => format!("{direction}host {}", ipv6(choices)),
        6 => format!("{}{direction}host {}", choices.pick(&["ip ", "arp "]), ipv4(choices)),
        _ => format!("ip6 {direction}host {}", ipv6(choices)),
    }
}

fn net(choices: &mut Choices) -> String {
    let direction = direction(choices);
    if choices.once_in(2) {
        let bits = choices.pick(&[0u32, 8, 16, 24, 30, 32]);
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let address = Ipv4Addr::from_bits(ipv4(choices).to_bits() & mask);
        return format!("{direction}net {address}/{bits}");
    }
    let bits = choices.pick(&[0u32, 16, 64, 120, 128]);
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    let address = Ipv6Addr::from_bits(ipv6(choices).to_bits() & mask);
    format!("{direction}net {address}/{bits}")
}

fn port(choices: &mut Choices) -> String {
    let transport = choices.pick(&["", "", "tcp ", "udp ", "sctp "]);
    let direction = direction(choices);
    let port = choices.pick(&PORTS);
    if choices.once_in(4) {
        let last = choices.pick(&PORTS);
        return format!("{transport}{direction}portrange {port}-{last}");
    }
    let more = if choices.once_in(4) { " or 443" } else { "" };
    format!("{transport}{direction}port {port}{more}")
}

fn length(choices: &mut Choices) -> String {
    let length = choices.pick(&[0, 60, 64, 100, 1_514]);
    format!("{} {length}", choices.pick(&["less", "greater", "len =", "len >", "length <="]))
}

fn ethernet(choices: &mut Choices) -> String {
    let [a, b, c, d, e, f] = choices.pick(&MACS);
    match choices.below(3) {
        0 => {
            let number = choices.pick(&["0x0800", "0x8100", "0x88cc", "38", "\\arp", "\\ip6"]);
            format!("ether proto {number}")
        }
        _ => {
            let direction = direction(choices);
            format!("ether {direction}host {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        }
    }
}

fn numbered_protocol(choices: &mut Choices) -> String {
    let number = choices.pick(&["6", "17", "\\tcp", "58", "51", "59", "47"]);
    match choices.below(6) {
        0 | 1 => format!("ip proto {number}"),
        2 | 3 => format!("ip6 proto {number}"),
        4 => format!("proto {number}"),
        _ => format!("{} protochain {number}", choices.pick(&["ip", "ip6"])),
    }
}

fn comparison(choices: &mut Choices) -> String {
    let left = sum(choices, 0);
    let relation = choices.pick(&["=", "==", "!=", "<", ">", "<=", ">="]);
    if choices.once_in(5) {
        return format!("{left} {relation} {}", sum(choices, 1));
    }
    let right = choices.pick(&[0u32, 1, 2, 5, 6, 17, 64, 80, 0x12, 0x45, 0x800, u32::MAX]);
    format!("{left} {relation} {right}")
}

fn sum(choices: &mut Choices, depth: u32) -> String {
    if depth < 3 && choices.once_in(2) {
        let operator = choices.pick(&["&", "&", "|", "+", "-", "*", "/", "%", "^", "<<", ">>"]);
        let left = sum(choices, depth + 1);
        if choices.once_in(3) {
            return format!("({left} {operator} {})", sum(choices, depth + 1));
        }
        return format!("({left} {operator} {})", choices.pick(&[1u32, 2, 7, 15, 240, 0x1fff]));
    }
    if choices.once_in(8) {
        return choices.pick(&["len", "icmptype", "tcpflags"]).to_owned();
    }
    let layer = choices.pick(&["ether", "ip", "ip", "ip6", "tcp", "tcp", "udp", "icmp", "arp"]);
    let size = choices.pick(&["", ":1", ":2", ":4"]);
    let offset = if depth < 2 && choices.once_in(6) {
        format!("({})", sum(choices, depth + 2))
    } else {
        choices.pick(&[0, 1, 2, 4, 6, 8, 9, 12, 13, 16, 40, 100]).to_string()
    };
    format!("{layer}[{offset}{size}]")
}
