//! The sockets that drivers have opened in this process, found among its open files.
//!
//! A driver keeps its sockets to itself, but it does not keep them secret. Each that is found is
//! duplicated, so that a number which the driver closes, and the kernel then gives to something
//! else, is not mistaken for it.

#![allow(unsafe_code, reason = "socket options that rustix does not have")]

use std::ffi::c_int;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Returns duplicates of all sockets of this process that are of an address family. `None` where
/// its open files cannot be listed.
pub(super) fn of_family(family: c_int) -> Option<Vec<OwnedFd>> {
    let numbers = fs::read_dir("/proc/self/fd")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Some(
        numbers
            .filter_map(duplicate)
            .filter(|socket| {
                option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN) == Some(family)
            })
            .collect(),
    )
}

/// Reads a socket option that is a plain value of exactly the size of `T`.
pub(super) fn option<T: PlainOption>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> Option<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`, whose type takes any
    // bytes.
    let ret = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    };
    (ret == 0 && length as usize == size_of::<T>()).then_some(value)
}

/// A value that any bytes make.
///
/// # Safety
///
/// The type must have no bytes that are no value of it.
pub(super) unsafe trait PlainOption: Default {}

// SAFETY: an integer takes any bytes.
unsafe impl PlainOption for c_int {}

/// Duplicates a number that was open a moment ago.
fn duplicate(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the borrow ends with this function; a number that was closed meanwhile makes the
    // call fail, and one that was opened anew is a duplicate of that, which is looked at next.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).ok()
}
