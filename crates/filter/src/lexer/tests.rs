use super::*;

fn kinds(expression: &str) -> Vec<(&str, TokenKind)> {
    tokens(expression).map(|token| (token.text, token.kind)).collect()
}

#[test]
fn cuts_as_libpcap_does() {
    use TokenKind::*;
    assert_eq!(
        kinds("tcp[13]&0x12!=0||not  \\foo"),
        [
            ("tcp", Keyword),
            ("[", Symbol),
            ("13", Value),
            ("]", Symbol),
            ("&", Symbol),
            ("0x12", Value),
            ("!=", Symbol),
            ("0", Value),
            ("||", Connective),
            ("not", Keyword),
            ("\\foo", Name),
        ]
    );
    assert_eq!(
        kinds("ether[0:4] ftp-data- #"),
        [
            ("ether", Keyword),
            ("[", Symbol),
            ("0", Value),
            (":", Symbol),
            ("4", Value),
            ("]", Symbol),
            ("ftp-data", Name),
            ("-", Symbol),
            ("#", Illegal),
        ]
    );
    let positions: Vec<_> = tokens(" ip  or\tip6").map(|token| token.position_bytes).collect();
    assert_eq!(positions, [1, 5, 8]);
}

#[test]
fn takes_addresses_in_every_notation_for_values() {
    for address in [
        "10.0.0.1",
        "10.1",
        "0x7f.1",
        "::",
        "::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "1:2:3:4:5:6:7:8",
        "02:00:00:00:00:01",
        "2-0-0-0-0-a",
        "2.0.0.0.0.a",
        "0200.0000.000a",
        "0200c0ffee0a",
        "$a5",
        "icmp-echo",
        "tcp-syn",
    ] {
        assert_eq!(kinds(address), [(address, TokenKind::Value)]);
    }
}

#[test]
fn finds_names_that_would_be_looked_up() {
    for (expression, name) in [
        ("host example.com", "example.com"),
        ("example", "example"),
        ("tcp port http and src foo", "foo"),
        ("port http or src or dst host foo", "foo"),
        ("net loopback", "loopback"),
        ("ether host router", "router"),
        ("gateway foo", "foo"),
        ("host \\tcp", "\\tcp"),
        ("host 1.2.3.4.5", "1.2.3.4.5"),
        ("ip or (not foo)", "foo"),
        ("host 10.0.0.1 or foo", "foo"),
        ("tcp-foo", "tcp-foo"),
    ] {
        assert_eq!(first_host_name(expression).map(|token| token.text), Some(name), "{expression}");
    }
    for expression in [
        "",
        "port http",
        "port http or (https or not ftp-data)",
        "tcp dst portrange ftp-data-ssh",
        "ip proto \\tcp or \\udp",
        "wlan type mgt subtype beacon",
        "host 10.0.0.1 or ::1 or 02:00:00:00:00:01",
        "net 10.0.0.0 mask 255.0.0.0",
        "icmp[icmptype] = icmp-echo and len > 4",
        "on eth0 and reason match",
    ] {
        assert_eq!(first_host_name(expression), None, "{expression}");
    }
}
