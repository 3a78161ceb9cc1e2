/*
 * The loop that Weir's data path is measured against: receive a burst, copy every packet into
 * memory that is written in turn, free the burst. Nothing is looked at, counted or stamped.
 *
 *     bare_loop EAL-ARGUMENTS -- MBUFS WINDOW_MS WINDOWS
 *
 * It is in C, and knows nothing of Weir or its bindings, so that it is what DPDK itself allows.
 * It runs on the first worker lcore, on the first port, and prints a line of JSON for each window:
 * units (packets), and the nanoseconds of the wall clock and of the thread. The first is for warming
 * up. benches/side-by-side compiles it, runs it and reads it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>

#define BURST 64
#define DESCRIPTORS 1024
#define CACHE 256
/* As many bytes are written before the first are written again as in Weir's pool of blocks. */
#define ROOM_BYTES (8 << 20)
#define BURSTS_BETWEEN_CLOCKS 256

struct run {
	uint64_t window_ns;
	uint64_t windows;
	uint8_t *room;
	int done;
};

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t
receive_bursts(uint8_t *room, size_t *at)
{
	struct rte_mbuf *mbufs[BURST];
	uint64_t packets = 0;
	uint32_t burst;
	uint16_t i, n;

	for (burst = 0; burst < BURSTS_BETWEEN_CLOCKS; burst++) {
		n = rte_eth_rx_burst(0, 0, mbufs, BURST);
		for (i = 0; i < n; i++) {
			uint16_t bytes = mbufs[i]->data_len;

			if (*at + bytes > ROOM_BYTES)
				*at = 0;
			rte_memcpy(room + *at, rte_pktmbuf_mtod(mbufs[i], const void *), bytes);
			*at += bytes;
		}
		rte_pktmbuf_free_bulk(mbufs, n);
		packets += n;
	}
	return packets;
}

static int
loop(void *argument)
{
	struct run *run = argument;
	uint64_t window;
	size_t at = 0;

	for (window = 0; window < run->windows; window++) {
		uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC);
		uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		uint64_t packets = 0, took_ns;

		do {
			packets += receive_bursts(run->room, &at);
			took_ns = clock_ns(CLOCK_MONOTONIC) - wall_ns;
		} while (took_ns < run->window_ns);
		cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
		printf("{\"units\":%ju,\"wall_ns\":%ju,\"cpu_ns\":%ju}\n", (uintmax_t)packets,
			(uintmax_t)took_ns, (uintmax_t)cpu_ns);
		fflush(stdout);
	}
	__atomic_store_n(&run->done, 1, __ATOMIC_RELEASE);
	return 0;
}

static void
start_port(uint32_t mbufs)
{
	struct rte_eth_conf conf;
	struct rte_mempool *pool;

	memset(&conf, 0, sizeof(conf));
	pool = rte_pktmbuf_pool_create("bare", mbufs, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
		SOCKET_ID_ANY);
	if (pool == NULL || rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(0, 0, DESCRIPTORS, 0, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(0, 0, DESCRIPTORS, 0, NULL) != 0 || rte_eth_dev_start(0) != 0)
		rte_exit(EXIT_FAILURE, "the port could not be started\n");
}

int
main(int argc, char **argv)
{
	struct run run;
	int used;

	run.done = 0;
	used = rte_eal_init(argc, argv);

	if (used < 0)
		rte_exit(EXIT_FAILURE, "the EAL could not be started\n");
	argc -= used;
	argv += used;
	if (argc != 4)
		rte_exit(EXIT_FAILURE, "bare_loop EAL-ARGUMENTS -- MBUFS WINDOW_MS WINDOWS\n");
	run.window_ns = strtoull(argv[2], NULL, 10) * 1000000;
	run.windows = strtoull(argv[3], NULL, 10);
	run.room = malloc(ROOM_BYTES);
	if (run.room == NULL)
		rte_exit(EXIT_FAILURE, "no memory\n");
	/* Touched, so that no packet pays for a page fault. */
	memset(run.room, 1, ROOM_BYTES);
	start_port((uint32_t)strtoul(argv[1], NULL, 10));
	rte_eal_remote_launch(loop, &run, rte_get_next_lcore(-1, 1, 0));
	/* EAL waits by spinning, on a CPU that may share its core with the worker's. */
	while (!__atomic_load_n(&run.done, __ATOMIC_ACQUIRE))
		usleep(20000);
	rte_eal_mp_wait_lcore();
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return 0;
}
