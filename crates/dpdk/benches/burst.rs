//! What a [`Burst`] costs over DPDK's own calls, on `net_null` with packets of 64 bytes that the
//! driver does not copy: the driver's work is as small as it gets, so the difference shows.
//!
//! - `receive/raw`: `rte_eth_rx_burst` and `rte_pktmbuf_free_bulk`, the floor.
//! - `receive/burst`: an [`RxQueue`] fills a burst, which is cleared.
//! - `receive/burst_frames`: the same, and each packet is looked at.
//! - `receive/burst_stamped`: the same, and each packet is given a time.
//! - `hand_over/raw`: a burst's mbufs through an `rte_ring`, there and back out, one thread.
//! - `hand_over/ring`: a burst through [`ring::channel`], with its times, one thread.
//! - `scatter/4`: a burst spread over four lanes, which are cleared.
//!
//! Time is that of the thread on its CPU, so that other programs on the machine disturb little.
//! Throughput is in packets. Interesting is the difference of two lines, by the packet.

#![allow(unsafe_code, reason = "compares with DPDK's own calls")]

use std::hint::black_box;
use std::ptr;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, Throughput};
use rustix::time::{ClockId, clock_gettime};
use weir_dpdk::{Burst, Eal, Mempool, MempoolConfig, Port, PortConfig, RxQueue, StartedPort, ring};
use weir_dpdk_sys as sys;
use weir_model::{
    BURST_PACKETS_MAX, Burst as _, BurstReceiver, BurstSender, PacketSource, Timestamp,
};

/// DPDK's number of the only port.
const PORT: u16 = 0;

struct Setup {
    eal: Eal,
    queue: RxQueue,
    _port: StartedPort,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut setup = set_up();
    let mut receiving = criterion.benchmark_group("receive");
    receiving.throughput(Throughput::Elements(BURST_PACKETS_MAX as u64));
    receive(&mut receiving, &mut setup.queue);
    receiving.finish();
    let mut handing_over = criterion.benchmark_group("hand_over");
    handing_over.throughput(Throughput::Elements(BURST_PACKETS_MAX as u64));
    hand_over(&mut handing_over, &mut setup);
    handing_over.finish();
    let mut scattering = criterion.benchmark_group("scatter");
    scattering.throughput(Throughput::Elements(BURST_PACKETS_MAX as u64));
    scatter(&mut scattering, &mut setup.queue);
    scattering.finish();
    criterion.final_summary();
}

/// Measures a routine by the thread's time on its CPU.
fn measure<T>(bencher: &mut Bencher<'_, WallTime>, mut routine: impl FnMut() -> T) {
    bencher.iter_custom(|rounds| {
        let start = on_cpu();
        for _ in 0..rounds {
            black_box(routine());
        }
        on_cpu() - start
    });
}

fn on_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn set_up() -> Setup {
    let eal = Eal::init(&eal_args()).expect("the EAL starts");
    let pool = Mempool::create(
        &eal,
        MempoolConfig {
            name: "bench".to_owned(),
            mbufs: 4095,
            cache_mbufs: 256,
            data_room_bytes: MempoolConfig::DATA_ROOM_BYTES_DEFAULT,
            socket: None,
        },
    )
    .expect("256 MiB are enough");
    let port = Port::by_name(&eal, "net_null0").expect("the vdev is there");
    let (port, mut queues) =
        port.start(&PortConfig::default(), &pool).expect("net_null starts with one queue");
    Setup { eal, queue: queues.pop().expect("one was asked for"), _port: port }
}

/// Takes hugepages where some are free, as in production.
fn eal_args() -> Vec<String> {
    let free = std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    let memory: &[&str] = match free.ok().and_then(|pages| pages.trim().parse::<u32>().ok()) {
        Some(64..) => &["--in-memory"],
        _ => &["--no-huge", "--no-shconf", "-m", "256"],
    };
    let prefix = format!("--file-prefix=weir-bench-{}", std::process::id());
    let fixed = ["--no-pci", "--no-telemetry", "--log-level=error", &prefix];
    let vdev = ["--vdev=net_null0,size=64,copy=0"];
    memory.iter().chain(&fixed).chain(&vdev).map(|&arg| arg.to_owned()).collect()
}

fn receive(group: &mut BenchmarkGroup<'_, WallTime>, queue: &mut RxQueue) {
    group.bench_function("raw", |bencher| {
        let mut mbufs = [ptr::null_mut(); BURST_PACKETS_MAX];
        measure(bencher, || {
            let count = receive_raw(&mut mbufs);
            free_raw(&mut mbufs[..count]);
            count
        });
    });
    let mut burst = Burst::default();
    group.bench_function("burst", |bencher| {
        measure(bencher, || {
            let count = queue.receive_into(&mut burst, BURST_PACKETS_MAX);
            burst.clear();
            count
        });
    });
    group.bench_function("burst_frames", |bencher| {
        measure(bencher, || {
            let count = queue.receive_into(&mut burst, BURST_PACKETS_MAX);
            let mut bytes = 0;
            for index in 0..count {
                if let Ok(frame) = burst.frame(index) {
                    bytes += frame.contiguous().map_or(0, <[u8]>::len) + frame.wire_bytes as usize;
                }
            }
            burst.clear();
            bytes
        });
    });
    group.bench_function("burst_stamped", |bencher| {
        measure(bencher, || {
            let count = queue.receive_into(&mut burst, BURST_PACKETS_MAX);
            for index in 0..count {
                burst.set_timestamp(index, Timestamp::from_ns(index as u64));
            }
            burst.clear();
        });
    });
}

fn hand_over(group: &mut BenchmarkGroup<'_, WallTime>, setup: &mut Setup) {
    group.bench_function("raw", |bencher| {
        let ring = raw_ring();
        let mut mbufs = [ptr::null_mut(); BURST_PACKETS_MAX];
        measure(bencher, || {
            let count = receive_raw(&mut mbufs);
            through_raw(ring, &mut mbufs[..count]);
            free_raw(&mut mbufs[..count]);
        });
        // SAFETY: the ring was made above and is empty.
        unsafe { sys::rte_ring_free(ring) };
    });
    group.bench_function("ring", |bencher| {
        let (mut sender, mut receiver) =
            ring::channel(&setup.eal, "bench", 512, None).expect("there is memory for a ring");
        let mut burst = Burst::default();
        measure(bencher, || {
            setup.queue.receive_into(&mut burst, BURST_PACKETS_MAX);
            sender.send(&mut burst);
            receiver.receive_into(&mut burst);
            burst.clear();
        });
    });
}

fn scatter(group: &mut BenchmarkGroup<'_, WallTime>, queue: &mut RxQueue) {
    let lane_of: [u8; BURST_PACKETS_MAX] = std::array::from_fn(|index| (index * 7 % 4) as u8);
    let mut lanes: [Burst; 4] = Default::default();
    let mut burst = Burst::default();
    group.bench_function("4", |bencher| {
        measure(bencher, || {
            queue.receive_into(&mut burst, BURST_PACKETS_MAX);
            burst.scatter(&lane_of, &mut lanes);
            for lane in &mut lanes {
                lane.clear();
            }
        });
    });
}

fn receive_raw(mbufs: &mut [*mut sys::rte_mbuf; BURST_PACKETS_MAX]) -> usize {
    // SAFETY: the array has the room that is said; this is the only thread.
    unsafe {
        usize::from(sys::rte_eth_rx_burst(PORT, 0, mbufs.as_mut_ptr(), BURST_PACKETS_MAX as u16))
    }
}

fn free_raw(mbufs: &mut [*mut sys::rte_mbuf]) {
    // SAFETY: all of them were received or dequeued just now, once.
    unsafe { sys::rte_pktmbuf_free_bulk(mbufs.as_mut_ptr(), mbufs.len() as u32) }
}

fn raw_ring() -> *mut sys::rte_ring {
    let any = sys::SHIM_SOCKET_ID_ANY;
    // SAFETY: the EAL is up, and the name is a C string.
    let ring = unsafe { sys::rte_ring_create(c"raw".as_ptr(), 512, any, sys::SHIM_RING_FLAGS) };
    assert!(!ring.is_null());
    ring
}

fn through_raw(ring: *mut sys::rte_ring, mbufs: &mut [*mut sys::rte_mbuf]) {
    let (pointer, count) = (mbufs.as_mut_ptr().cast(), mbufs.len() as u32);
    // SAFETY: the slice has as many entries as is said; this is the only thread at the ring, which
    // has room for them all.
    unsafe {
        sys::rte_ring_sp_enqueue_burst(ring, pointer, count, ptr::null_mut());
        sys::rte_ring_sc_dequeue_burst(ring, pointer, count, ptr::null_mut());
    }
}
