//! A vdev's arguments: `key=value,key=value`, as they stood behind its name on the EAL's command
//! line.

/// Returns the values of all arguments called `key`.
pub(crate) fn values<'a>(args: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    args.split(',').filter_map(move |pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// Returns the first argument called `key` as a number, if it is one.
pub(crate) fn number(args: &str, key: &str) -> Option<u32> {
    values(args, key).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_value_of_a_key() {
        let args = "rx_pcap=/a,tx_pcap=/b,rx_pcap=/c=d,infinite_rx=1,rx_pcapx=/e";
        assert_eq!(values(args, "rx_pcap").collect::<Vec<_>>(), ["/a", "/c=d"]);
        assert_eq!(number(args, "infinite_rx"), Some(1));
        assert_eq!(number(args, "rx_pcap"), None);
        assert_eq!(values("", "iface").count(), 0);
    }
}
