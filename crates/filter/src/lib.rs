//! pcap-filter(7) text to verified classic BPF, and its interpreter
