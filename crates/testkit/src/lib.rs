//! Simulated port, disk and clock, and synthetic traffic, for tests only
