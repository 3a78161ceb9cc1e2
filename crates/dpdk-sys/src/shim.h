/*
 * What bindgen cannot reach: macros, thread-locals, and the fields of an mbuf.
 *
 * The layout of struct rte_mbuf is not the same in all DPDK versions that Weir builds with, so no
 * field of it is named outside shim.c. To make that cheap, C works on whole bursts: one call
 * describes all packets of a burst in an array of views.
 */
#ifndef WEIR_SHIM_H
#define WEIR_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_version.h>

/* Macros, with the type that they have in C (bindgen would make u32 of the small ones). */
static const uint32_t SHIM_VERSION = RTE_VERSION;
static const uint32_t SHIM_VERSION_25_03 = RTE_VERSION_NUM(25, 3, 0, 0);
static const uint32_t SHIM_VERSION_26_07 = RTE_VERSION_NUM(26, 7, 0, 0);
static const uint32_t SHIM_LCORE_ID_ANY = (uint32_t)LCORE_ID_ANY;
static const int32_t SHIM_SOCKET_ID_ANY = SOCKET_ID_ANY;
static const uint32_t SHIM_LCORE_IDLE = WAIT;
static const uint32_t SHIM_MAX_LCORE = RTE_MAX_LCORE;
static const uint32_t SHIM_MAX_ETHPORTS = RTE_MAX_ETHPORTS;
static const uint32_t SHIM_MEMPOOL_CACHE_MAX = RTE_MEMPOOL_CACHE_MAX_SIZE;
static const uint32_t SHIM_MEMPOOL_NAMESIZE = RTE_MEMPOOL_NAMESIZE;
static const uint16_t SHIM_HEADROOM_BYTES = RTE_PKTMBUF_HEADROOM;
static const uint16_t SHIM_BUF_BYTES_DEFAULT = RTE_MBUF_DEFAULT_BUF_SIZE;
static const uint32_t SHIM_RING_NAMESIZE = RTE_RING_NAMESIZE;
static const uint32_t SHIM_RING_CAPACITY_MAX = RTE_RING_SZ_MASK;
static const uint32_t SHIM_RING_FLAGS = RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ;
static const uint32_t SHIM_ETHER_HEADER_BYTES = RTE_ETHER_HDR_LEN;
static const uint32_t SHIM_ETHER_CRC_BYTES = RTE_ETHER_CRC_LEN;
static const uint32_t SHIM_SPEED_UNKNOWN = RTE_ETH_SPEED_NUM_UNKNOWN;
static const uint32_t SHIM_XSTATS_NAME_BYTES = RTE_ETH_XSTATS_NAME_SIZE;
static const uint32_t SHIM_DEVICE_NAME_BYTES = RTE_ETH_NAME_MAX_LEN;
static const uint64_t SHIM_OFFLOAD_TIMESTAMP = RTE_ETH_RX_OFFLOAD_TIMESTAMP;
static const uint64_t SHIM_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t SHIM_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t SHIM_OFFLOAD_VLAN_STRIP = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t SHIM_RSS_FLOWS =
	RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;
static const uint32_t SHIM_MQ_RSS = RTE_ETH_MQ_RX_RSS;
static const uint64_t SHIM_F_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
static const uint64_t SHIM_F_VLAN = RTE_MBUF_F_RX_VLAN;
static const uint64_t SHIM_F_VLAN_STRIPPED = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t SHIM_F_QINQ = RTE_MBUF_F_RX_QINQ;
static const uint64_t SHIM_F_QINQ_STRIPPED = RTE_MBUF_F_RX_QINQ_STRIPPED;

/* What a view's flags say. */
static const uint16_t SHIM_VIEW_CHAIN = 1 << 0;         /* more than one segment */
static const uint16_t SHIM_VIEW_MALFORMED = 1 << 1;     /* lengths and segments disagree */
static const uint16_t SHIM_VIEW_VLAN_STRIPPED = 1 << 2; /* vlan_tci holds a tag taken out */
static const uint16_t SHIM_VIEW_QINQ_STRIPPED = 1 << 3; /* so does vlan_tci_outer */
static const uint16_t SHIM_VIEW_RSS = 1 << 4;           /* rss_hash is set */
static const uint16_t SHIM_VIEW_SOURCE_TIME = 1 << 5;   /* source_time is set */

/*
 * One packet, as the data path looks at it, in 32 bytes. What has a flag beside it means something
 * only where that flag is set.
 */
struct shim_view {
	const uint8_t *data;     /* first byte of the first segment */
	uint32_t pkt_len;        /* as the mbuf claims it, malformed or not */
	uint16_t data_len;       /* bytes in the first segment */
	uint16_t flags;          /* SHIM_VIEW_* */
	uint64_t source_time;    /* by the source, in its own unit: SHIM_VIEW_SOURCE_TIME */
	uint32_t rss_hash;       /* SHIM_VIEW_RSS */
	uint16_t vlan_tci;       /* SHIM_VIEW_VLAN_STRIPPED */
	uint16_t vlan_tci_outer; /* SHIM_VIEW_QINQ_STRIPPED */
};

/* Where timestamps live in an mbuf, as shim_stamps_register found it. */
struct shim_stamps {
	uint64_t source_flag; /* set by a driver that has written the time, in its own unit */
	int32_t offset;       /* of the 64-bit time in the mbuf */
};

/* Which kinds of the mbuf's metadata a receiver believes; the others are wiped. */
static const uint32_t SHIM_BELIEVE_SOURCE_TIME = 1 << 0;
static const uint32_t SHIM_BELIEVE_RSS = 1 << 1;

/* Lcores and errors. */
int shim_errno(void);

/* Registers the timestamp field and its flag. Returns 0, or a negative errno. */
int shim_stamps_register(struct shim_stamps *stamps);

/*
 * Polls a queue once and describes what came: at most n packets. times[i] becomes the source's
 * time, in its own unit, or 0. Returns how many packets were received.
 */
uint16_t shim_receive(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs,
	struct shim_view *views, uint64_t *times, uint16_t n,
	const struct shim_stamps *stamps, uint32_t believe);

/*
 * Puts as many of n packets into a ring as fit, with their times (in ns since the epoch), and
 * returns how many. Only one thread may send to a ring.
 */
uint16_t shim_ring_send(struct rte_ring *ring, struct rte_mbuf **mbufs, const uint64_t *times,
	uint16_t n, const struct shim_stamps *stamps);

/*
 * Takes at most n packets from a ring and describes them. times[i] becomes what the sender set.
 * Only one thread may receive from a ring.
 */
uint16_t shim_ring_receive(struct rte_ring *ring, struct rte_mbuf **mbufs,
	struct shim_view *views, uint64_t *times, uint16_t n, const struct shim_stamps *stamps);

/*
 * Copies a packet's bytes from byte `from` on, at most room, and returns how many. Reads no more
 * than nb_segs segments, and of each no more than its data_len. The packet must not be malformed.
 */
uint32_t shim_gather(const struct rte_mbuf *mbuf, uint32_t from, uint8_t *out, uint32_t room);

/*
 * Copies bytes by stores that go past the caches, and makes them seen before any store that follows.
 * Both addresses and the count are multiples of SHIM_LINE_BYTES.
 */
static const uint32_t SHIM_LINE_BYTES = 64;
void shim_stream(uint8_t *to, const uint8_t *from, size_t bytes);

/* Returns 0 and the PMD's own idea of the link, without waiting; or a negative errno. */
int shim_link(uint16_t port, uint32_t *speed_mbps, uint8_t *up);

/* Returns what stands after the device's name in its EAL argument, or NULL. */
const char *shim_device_args(const struct rte_device *device);

/* Sizes as C sees them, for the layout test. */
struct shim_sizes {
	uint64_t view, stamps, mbuf, eth_conf, eth_dev_info, eth_stats, eth_rxconf, eth_xstat,
		eth_xstat_name, ether_addr, malloc_socket_stats;
};
void shim_sizes(struct shim_sizes *sizes);

#ifdef WEIR_SHIM_CRAFT
/* Sets an mbuf's fields to anything at all. Tests only. */
struct shim_craft {
	uint64_t ol_flags;
	uint64_t time;
	uint32_t pkt_len;
	uint32_t rss_hash;
	uint16_t data_len;
	uint16_t nb_segs;
	uint16_t vlan_tci;
	uint16_t vlan_tci_outer;
};
void shim_craft_set(struct rte_mbuf *mbuf, const struct shim_craft *craft,
	const struct shim_stamps *stamps);
void shim_craft_get(const struct rte_mbuf *mbuf, struct shim_craft *craft,
	const struct shim_stamps *stamps);
/* Appends bytes to one segment; returns 0, or -1 where there is no room. */
int shim_craft_write(struct rte_mbuf *mbuf, const uint8_t *bytes, uint16_t count);
void shim_craft_link(struct rte_mbuf *mbuf, struct rte_mbuf *next);
uint16_t shim_craft_reference(struct rte_mbuf *mbuf, int16_t change);
#endif

#endif
