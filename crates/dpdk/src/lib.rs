//! Safe, owning types over DPDK: a packet source for the data path
