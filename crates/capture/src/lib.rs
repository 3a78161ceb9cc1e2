//! The data path: input, buffers, processing, output and their topology
