//! The segment file: pcapng blocks in zstd frames, sealed and rotated
