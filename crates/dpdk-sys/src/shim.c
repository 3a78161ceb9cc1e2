/* See shim.h. */
#include <errno.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>

#include "shim.h"

/* How many packets ahead the mbuf, and then the packet that it points to, are fetched. */
#define AHEAD_MBUF 8
#define AHEAD_DATA 4

int
shim_errno(void)
{
	return rte_errno;
}

int
shim_stamps_register(struct shim_stamps *stamps)
{
	if (rte_mbuf_dyn_rx_timestamp_register(&stamps->offset, &stamps->source_flag) != 0)
		return -rte_errno;
	return 0;
}

static inline uint64_t *
time_of(struct rte_mbuf *m, const struct shim_stamps *stamps)
{
	return RTE_MBUF_DYNFIELD(m, stamps->offset, uint64_t *);
}

static inline int
segment_fits(const struct rte_mbuf *m)
{
	return m->buf_addr != NULL && (uint32_t)m->data_off + m->data_len <= m->buf_len;
}

/* Walks a chain, at most nb_segs long, and returns whether it is what its head says. */
static int
chain_is_whole(const struct rte_mbuf *head)
{
	const struct rte_mbuf *m = head;
	uint64_t bytes = 0;
	uint32_t left;

	for (left = head->nb_segs; left > 0 && m != NULL; left--) {
		if (!segment_fits(m))
			return 0;
		bytes += m->data_len;
		m = m->next;
	}
	return left == 0 && m == NULL && bytes == head->pkt_len;
}

/* Describes what few packets have. Not inlined, so that the loop over the others stays small. */
static __rte_noinline void
describe_extras(struct rte_mbuf *m, struct shim_view *view, uint64_t *time,
	const struct shim_stamps *stamps, uint64_t wipe)
{
	uint64_t ol_flags = m->ol_flags;

	if ((ol_flags & wipe) != 0) {
		ol_flags &= ~wipe;
		m->ol_flags = ol_flags;
		if (wipe & RTE_MBUF_F_RX_RSS_HASH)
			view->flags &= ~SHIM_VIEW_RSS;
	}
	if (ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		view->flags |= SHIM_VIEW_VLAN_STRIPPED;
		view->vlan_tci = m->vlan_tci;
	}
	if (ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) {
		view->flags |= SHIM_VIEW_QINQ_STRIPPED;
		view->vlan_tci_outer = m->vlan_tci_outer;
	}
	if (ol_flags & stamps->source_flag) {
		view->flags |= SHIM_VIEW_SOURCE_TIME;
		view->source_time = *time_of(m, stamps);
		*time = view->source_time;
	}
}

/*
 * Describes one mbuf. Flags in `wipe` are not believed; any in `extras` are worth a closer look.
 * Times are those that a sender has set, if `stamped` is, and else the source's.
 */
static __rte_always_inline void
describe(struct rte_mbuf *m, struct shim_view *view, uint64_t *time,
	const struct shim_stamps *stamps, uint64_t wipe, uint64_t extras, int stamped)
{
	const uint64_t ol_flags = m->ol_flags;
	/* Wider than it is kept: a spilled 16-bit value that is read back as 32 bits stalls. */
	uint32_t flags = ol_flags & RTE_MBUF_F_RX_RSS_HASH ? SHIM_VIEW_RSS : 0;
	int whole;

	if (likely(m->nb_segs == 1)) {
		whole = m->data_len == m->pkt_len && segment_fits(m);
	} else {
		flags |= SHIM_VIEW_CHAIN;
		whole = chain_is_whole(m);
	}
	if (unlikely(!whole))
		flags |= SHIM_VIEW_MALFORMED;
	view->data = rte_pktmbuf_mtod(m, const uint8_t *);
	view->pkt_len = m->pkt_len;
	view->data_len = m->data_len;
	view->flags = (uint16_t)flags;
	view->rss_hash = m->hash.rss;
	*time = stamped ? *time_of(m, stamps) : 0;
	if (ol_flags & extras)
		describe_extras(m, view, time, stamps, wipe);
}

/* Describes the mbufs of a burst, fetching ahead what the next ones need. */
static __rte_always_inline void
describe_all(struct rte_mbuf **mbufs, struct shim_view *views, uint64_t *times, uint16_t n,
	const struct shim_stamps *stamps, uint64_t wipe, int stamped)
{
	const uint64_t extras = wipe | stamps->source_flag | RTE_MBUF_F_RX_VLAN_STRIPPED |
		RTE_MBUF_F_RX_QINQ_STRIPPED;
	const uint32_t count = n, fetched = count > AHEAD_MBUF ? count - AHEAD_MBUF : 0;
	uint32_t i;

	for (i = 0; i < count && i < AHEAD_MBUF; i++)
		rte_prefetch0(mbufs[i]);
	for (i = 0; i < fetched; i++) {
		rte_prefetch0(mbufs[i + AHEAD_MBUF]);
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + AHEAD_DATA], void *));
		describe(mbufs[i], &views[i], &times[i], stamps, wipe, extras, stamped);
	}
	for (; i < count; i++)
		describe(mbufs[i], &views[i], &times[i], stamps, wipe, extras, stamped);
}

uint16_t
shim_receive(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, struct shim_view *views,
	uint64_t *times, uint16_t n, const struct shim_stamps *stamps, uint32_t believe)
{
	uint64_t wipe = 0;

	if ((believe & SHIM_BELIEVE_SOURCE_TIME) == 0)
		wipe |= stamps->source_flag;
	if ((believe & SHIM_BELIEVE_RSS) == 0)
		wipe |= RTE_MBUF_F_RX_RSS_HASH;
	n = rte_eth_rx_burst(port, queue, mbufs, n);
	describe_all(mbufs, views, times, n, stamps, wipe, 0);
	return n;
}

uint16_t
shim_ring_send(struct rte_ring *ring, struct rte_mbuf **mbufs, const uint64_t *times, uint16_t n,
	const struct shim_stamps *stamps)
{
	/* The consumer can only make more room, so what fits now will fit below. */
	uint32_t room = rte_ring_free_count(ring);
	uint16_t i;

	if (n > room)
		n = (uint16_t)room;
	for (i = 0; i < n; i++) {
		*time_of(mbufs[i], stamps) = times[i];
		/* The field is no longer in the source's unit. */
		if (mbufs[i]->ol_flags & stamps->source_flag)
			mbufs[i]->ol_flags &= ~stamps->source_flag;
	}
	return (uint16_t)rte_ring_sp_enqueue_burst(ring, (void **)mbufs, n, NULL);
}

uint16_t
shim_ring_receive(struct rte_ring *ring, struct rte_mbuf **mbufs, struct shim_view *views,
	uint64_t *times, uint16_t n, const struct shim_stamps *stamps)
{
	n = (uint16_t)rte_ring_sc_dequeue_burst(ring, (void **)mbufs, n, NULL);
	describe_all(mbufs, views, times, n, stamps, 0, 1);
	return n;
}

uint32_t
shim_gather(const struct rte_mbuf *mbuf, uint32_t from, uint8_t *out, uint32_t room)
{
	const struct rte_mbuf *m = mbuf;
	uint32_t copied = 0, left, bytes;

	for (left = mbuf->nb_segs; left > 0 && m != NULL && copied < room; left--, m = m->next) {
		if (from >= m->data_len) {
			from -= m->data_len;
			continue;
		}
		bytes = RTE_MIN(m->data_len - from, room - copied);
		memcpy(out + copied, rte_pktmbuf_mtod_offset(m, const uint8_t *, from), bytes);
		copied += bytes;
		from = 0;
	}
	return copied;
}

#ifdef __SSE2__
void
shim_stream(uint8_t *to, const uint8_t *from, size_t bytes)
{
	__m128i *line = (__m128i *)to;
	const __m128i *source = (const __m128i *)from, *end = source + bytes / sizeof(*source);

	for (; source < end; source += 4, line += 4) {
		__m128i a = _mm_load_si128(source), b = _mm_load_si128(source + 1),
			c = _mm_load_si128(source + 2), d = _mm_load_si128(source + 3);

		_mm_stream_si128(line, a);
		_mm_stream_si128(line + 1, b);
		_mm_stream_si128(line + 2, c);
		_mm_stream_si128(line + 3, d);
	}
	_mm_sfence();
}
#else
void
shim_stream(uint8_t *to, const uint8_t *from, size_t bytes)
{
	memcpy(to, from, bytes);
}
#endif

int
shim_link(uint16_t port, uint32_t *speed_mbps, uint8_t *up)
{
	struct rte_eth_link link;
	int ret;

	memset(&link, 0, sizeof(link));
	ret = rte_eth_link_get_nowait(port, &link);
	*speed_mbps = link.link_speed;
	*up = link.link_status;
	return ret;
}

const char *
shim_device_args(const struct rte_device *device)
{
	const struct rte_devargs *devargs = device == NULL ? NULL : rte_dev_devargs(device);

	return devargs == NULL ? NULL : devargs->args;
}

void
shim_sizes(struct shim_sizes *sizes)
{
	sizes->view = sizeof(struct shim_view);
	sizes->stamps = sizeof(struct shim_stamps);
	sizes->mbuf = sizeof(struct rte_mbuf);
	sizes->eth_conf = sizeof(struct rte_eth_conf);
	sizes->eth_dev_info = sizeof(struct rte_eth_dev_info);
	sizes->eth_stats = sizeof(struct rte_eth_stats);
	sizes->eth_rxconf = sizeof(struct rte_eth_rxconf);
	sizes->eth_xstat = sizeof(struct rte_eth_xstat);
	sizes->eth_xstat_name = sizeof(struct rte_eth_xstat_name);
	sizes->ether_addr = sizeof(struct rte_ether_addr);
	sizes->malloc_socket_stats = sizeof(struct rte_malloc_socket_stats);
}

#ifdef WEIR_SHIM_CRAFT
void
shim_craft_set(struct rte_mbuf *mbuf, const struct shim_craft *craft,
	const struct shim_stamps *stamps)
{
	mbuf->ol_flags = craft->ol_flags;
	mbuf->pkt_len = craft->pkt_len;
	mbuf->hash.rss = craft->rss_hash;
	mbuf->data_len = craft->data_len;
	mbuf->nb_segs = craft->nb_segs;
	mbuf->vlan_tci = craft->vlan_tci;
	mbuf->vlan_tci_outer = craft->vlan_tci_outer;
	*time_of(mbuf, stamps) = craft->time;
}

void
shim_craft_get(const struct rte_mbuf *mbuf, struct shim_craft *craft,
	const struct shim_stamps *stamps)
{
	craft->ol_flags = mbuf->ol_flags;
	craft->time = *RTE_MBUF_DYNFIELD(mbuf, stamps->offset, const uint64_t *);
	craft->pkt_len = mbuf->pkt_len;
	craft->rss_hash = mbuf->hash.rss;
	craft->data_len = mbuf->data_len;
	craft->nb_segs = mbuf->nb_segs;
	craft->vlan_tci = mbuf->vlan_tci;
	craft->vlan_tci_outer = mbuf->vlan_tci_outer;
}

int
shim_craft_write(struct rte_mbuf *mbuf, const uint8_t *bytes, uint16_t count)
{
	char *end = rte_pktmbuf_append(mbuf, count);

	if (end == NULL)
		return -1;
	memcpy(end, bytes, count);
	return 0;
}

void
shim_craft_link(struct rte_mbuf *mbuf, struct rte_mbuf *next)
{
	mbuf->next = next;
}

uint16_t
shim_craft_reference(struct rte_mbuf *mbuf, int16_t change)
{
	return rte_mbuf_refcnt_update(mbuf, change);
}
#endif
