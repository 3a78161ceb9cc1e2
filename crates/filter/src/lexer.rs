//! Reads an expression as libpcap's scanner would, as far as this crate must know before libpcap
//! sees it: how many terms there are, where a word stands, and whether libpcap would go and look
//! a host name up.
//!
//! libpcap resolves names in the middle of compiling, through DNS, for as long as that takes. A
//! policy must not depend on who answers, so a host name is refused, and an address asked for.
//! Names of ports and protocols come from local tables, and are left to libpcap.

/// A piece of an expression that means something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// Where it starts, in bytes from the start of the expression.
    pub(crate) position_bytes: usize,
    pub(crate) text: &'a str,
    pub(crate) kind: TokenKind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `and`, `or`, and how C writes them.
    Connective,
    /// A word that libpcap reserves.
    Keyword,
    /// A number, an address, or a word that stands for a number.
    Value,
    /// Any other word: libpcap will look it up.
    Name,
    /// An operator or a bracket.
    Symbol,
    /// A character that no token starts with.
    Illegal,
}

/// Iterates over the tokens of an ASCII expression.
pub(crate) fn tokens(expression: &str) -> impl Iterator<Item = Token<'_>> {
    let mut position_bytes = 0;
    core::iter::from_fn(move || {
        let rest = &expression[position_bytes..];
        let blank = rest.len() - rest.trim_start_matches(BLANKS).len();
        let rest = &rest[blank..];
        if rest.is_empty() {
            return None;
        }
        let (length_bytes, kind) = first_token(rest);
        let start = position_bytes + blank;
        position_bytes = start + length_bytes;
        Some(Token { position_bytes: start, text: &rest[..length_bytes], kind })
    })
}

/// Returns the first name that libpcap would look up as a host or a network.
pub(crate) fn first_host_name(expression: &str) -> Option<Token<'_>> {
    // An identifier without qualifiers inherits those of the one before it, so what the last
    // qualifier said holds until another one says otherwise.
    let mut names_are_local = false;
    tokens(expression).find(|token| {
        match token.kind {
            TokenKind::Keyword if token.text != "not" => {
                names_are_local = LOCAL_NAME_KEYWORDS.contains(&token.text);
            }
            TokenKind::Name => return !names_are_local,
            _ => {}
        }
        false
    })
}

/// What libpcap's scanner skips.
const BLANKS: [char; 4] = [' ', '\r', '\n', '\t'];

/// Returns the length and the kind of the token at the start of `rest`, which is not empty.
fn first_token(rest: &str) -> (usize, TokenKind) {
    let first = rest.as_bytes()[0];
    match first {
        b'\\' => escaped_name(rest),
        b'$' => (rest.len().min(3), TokenKind::Value),
        b':' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            let address_bytes = colon_address_bytes(rest);
            if address_bytes > 0 {
                (address_bytes, TokenKind::Value)
            } else if first == b':' {
                (1, TokenKind::Symbol)
            } else {
                word(rest)
            }
        }
        _ => symbol(rest),
    }
}

fn escaped_name(rest: &str) -> (usize, TokenKind) {
    let name_bytes = rest[1..].find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(rest.len() - 1);
    (1 + name_bytes, if name_bytes == 0 { TokenKind::Illegal } else { TokenKind::Name })
}

fn symbol(rest: &str) -> (usize, TokenKind) {
    match rest.get(..2) {
        Some("&&" | "||") => return (2, TokenKind::Connective),
        Some(">=" | "<=" | "!=" | "==" | "<<" | ">>") => return (2, TokenKind::Symbol),
        _ => {}
    }
    match rest.as_bytes()[0] {
        b'+' | b'-' | b'*' | b'/' | b'%' | b'[' | b']' | b'!' | b'<' | b'>' | b'(' | b')'
        | b'&' | b'|' | b'^' | b'=' => (1, TokenKind::Symbol),
        _ => (1, TokenKind::Illegal),
    }
}

/// Returns the length of the IPv6 or MAC address that starts here, 0 if none does. What only
/// looks like one is libpcap's to refuse.
fn colon_address_bytes(rest: &str) -> usize {
    let end = rest.find(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.');
    let run = &rest[..end.unwrap_or(rest.len())];
    let colons = run.bytes().filter(|&byte| byte == b':').count();
    if colons >= 2 { run.len() } else { 0 }
}

fn word(rest: &str) -> (usize, TokenKind) {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
    let word = rest[..end.unwrap_or(rest.len())].trim_end_matches(['-', '_']);
    let kind = if matches!(word, "and" | "or") {
        TokenKind::Connective
    } else if KEYWORDS.contains(&word) || LOCAL_NAME_KEYWORDS.contains(&word) {
        TokenKind::Keyword
    } else if is_value(word) {
        TokenKind::Value
    } else {
        TokenKind::Name
    };
    (word.len(), kind)
}

fn is_value(word: &str) -> bool {
    is_number_or_ipv4(word) || is_mac(word) || CONSTANTS.contains(&word)
}

/// A number, or up to four of them with dots between: libpcap takes `net 10.1` as well.
fn is_number_or_ipv4(word: &str) -> bool {
    word.split('.').count() <= 4
        && word.split('.').all(|part| {
            match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
                Some(hex) => is_all(hex, |byte| byte.is_ascii_hexdigit()),
                None => is_all(part, |byte| byte.is_ascii_digit()),
            }
        })
}

/// A MAC address in one of the notations that need no colon.
fn is_mac(word: &str) -> bool {
    let groups = |separator: char, count: usize, digits: core::ops::RangeInclusive<usize>| {
        word.split(separator).count() == count
            && word.split(separator).all(|group| {
                digits.contains(&group.len()) && is_all(group, |byte| byte.is_ascii_hexdigit())
            })
    };
    groups('-', 6, 1..=2)
        || groups('.', 6, 1..=2)
        || groups('.', 3, 4..=4)
        || groups('.', 1, 12..=12)
}

fn is_all(text: &str, test: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

/// After these, a name is looked up in a table of this machine or of libpcap.
const LOCAL_NAME_KEYWORDS: &[&str] = &[
    "action",
    "dir",
    "direction",
    "ifname",
    "llc",
    "on",
    "port",
    "portrange",
    "proto",
    "protochain",
    "reason",
    "rset",
    "ruleset",
    "subtype",
    "type",
];

/// The other words that libpcap 1.10 reserves. A word that a later version adds is taken for a
/// host name, and refused.
const KEYWORDS: &[&str] = &[
    "aarp",
    "addr1",
    "addr2",
    "addr3",
    "addr4",
    "address1",
    "address2",
    "address3",
    "address4",
    "ah",
    "arp",
    "atalk",
    "bcc",
    "broadcast",
    "byte",
    "carp",
    "clnp",
    "connectmsg",
    "csnp",
    "decnet",
    "dpc",
    "dst",
    "es-is",
    "esis",
    "esp",
    "ether",
    "fddi",
    "fisu",
    "gateway",
    "geneve",
    "greater",
    "hdpc",
    "hfisu",
    "hlssu",
    "hmsu",
    "hopc",
    "host",
    "hsio",
    "hsls",
    "icmp",
    "icmp6",
    "ifindex",
    "igmp",
    "igrp",
    "iih",
    "ilmic",
    "inbound",
    "ip",
    "ip6",
    "ipx",
    "is-is",
    "isis",
    "iso",
    "l1",
    "l2",
    "lane",
    "lat",
    "len",
    "length",
    "less",
    "link",
    "lsp",
    "lssu",
    "lsu",
    "mask",
    "metac",
    "metaconnect",
    "mopdl",
    "moprc",
    "mpls",
    "msu",
    "multicast",
    "net",
    "netbeui",
    "not",
    "oam",
    "oamf4",
    "oamf4ec",
    "oamf4sc",
    "opc",
    "outbound",
    "pim",
    "ppp",
    "pppoed",
    "pppoes",
    "psnp",
    "ra",
    "radio",
    "rarp",
    "rnr",
    "rulenum",
    "sc",
    "sca",
    "sctp",
    "sio",
    "slip",
    "sls",
    "snp",
    "src",
    "srnr",
    "stp",
    "subrulenum",
    "ta",
    "tcp",
    "tr",
    "udp",
    "vci",
    "vlan",
    "vpi",
    "vrrp",
    "wlan",
];

/// The words that libpcap 1.10 reads as numbers.
const CONSTANTS: &[&str] = &[
    "icmp-echo",
    "icmp-echoreply",
    "icmp-ireq",
    "icmp-ireqreply",
    "icmp-maskreply",
    "icmp-maskreq",
    "icmp-paramprob",
    "icmp-redirect",
    "icmp-routeradvert",
    "icmp-routersolicit",
    "icmp-sourcequench",
    "icmp-timxceed",
    "icmp-tstamp",
    "icmp-tstampreply",
    "icmp-unreach",
    "icmp6-certpathadvert",
    "icmp6-certpathsolicit",
    "icmp6-destinationunreach",
    "icmp6-echo",
    "icmp6-echoreply",
    "icmp6-homeagentdiscoveryreply",
    "icmp6-homeagentdiscoveryrequest",
    "icmp6-ineighbordiscoveryadvert",
    "icmp6-ineighbordiscoverysolicit",
    "icmp6-mobileprefixadvert",
    "icmp6-mobileprefixsolicit",
    "icmp6-multicastlistenerdone",
    "icmp6-multicastlistenerquery",
    "icmp6-multicastlistenerreportv1",
    "icmp6-multicastlistenerreportv2",
    "icmp6-multicastrouteradvert",
    "icmp6-multicastroutersolicit",
    "icmp6-multicastrouterterm",
    "icmp6-neighboradvert",
    "icmp6-neighborsolicit",
    "icmp6-nodeinformationquery",
    "icmp6-nodeinformationresponse",
    "icmp6-packettoobig",
    "icmp6-parameterproblem",
    "icmp6-redirect",
    "icmp6-routeradvert",
    "icmp6-routerrenum",
    "icmp6-routersolicit",
    "icmp6-timeexceeded",
    "icmp6code",
    "icmp6type",
    "icmpcode",
    "icmptype",
    "tcp-ack",
    "tcp-cwr",
    "tcp-ece",
    "tcp-fin",
    "tcp-push",
    "tcp-rst",
    "tcp-syn",
    "tcp-urg",
    "tcpflags",
];

#[cfg(test)]
mod tests;
