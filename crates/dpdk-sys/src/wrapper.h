/* What the bindings are made from. Beside each header stands what is taken from it. */
#include <rte_dev.h>      /* rte_dev_name */
#include <rte_eal.h>      /* rte_eal_init, rte_eal_cleanup */
#include <rte_errno.h>    /* rte_strerror */
#include <rte_ethdev.h>   /* rte_eth_* */
#include <rte_launch.h>   /* rte_eal_remote_launch, rte_eal_wait_lcore */
#include <rte_lcore.h>    /* rte_lcore_*, rte_thread_register */
#include <rte_malloc.h>   /* rte_malloc_get_socket_stats */
#include <rte_mbuf.h>     /* rte_pktmbuf_*, rte_get_rx_ol_flag_name */
#include <rte_mempool.h>  /* rte_mempool_* */
#include <rte_ring.h>     /* rte_ring_* */
#include <rte_version.h>  /* rte_version */

#include "shim.h"
