//! Finds the installed DPDK and makes bindings from its headers: probe, bindings, shim, metadata.
//!
//! Functions, inline ones too, come from bindgen by the list below; everything else that is needed
//! of DPDK goes through `src/shim.c`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// The oldest DPDK that this is written for.
const DPDK_VERSION_MIN: &str = "22.11";

/// The libraries that the functions below live in. PMDs are not among them: the EAL loads those
/// from its own directory when it starts.
const LIBRARIES: &[&str] = &["rte_eal", "rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring"];

/// The functions that are taken, sorted. Names that start with `shim_` come from `shim.h`.
const FUNCTIONS: &[&str] = &[
    "rte_dev_name",
    "rte_eal_cleanup",
    "rte_eal_get_lcore_state",
    "rte_eal_init",
    "rte_eal_remote_launch",
    "rte_eal_wait_lcore",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_configure",
    "rte_eth_dev_get_mtu",
    "rte_eth_dev_get_name_by_port",
    "rte_eth_dev_get_port_by_name",
    "rte_eth_dev_info_get",
    "rte_eth_dev_rss_hash_conf_get",
    "rte_eth_dev_rx_offload_name",
    "rte_eth_dev_set_mtu",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_find_next_owned_by",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_disable",
    "rte_eth_promiscuous_enable",
    "rte_eth_promiscuous_get",
    "rte_eth_read_clock",
    "rte_eth_rx_burst",
    "rte_eth_rx_queue_setup",
    "rte_eth_stats_get",
    "rte_eth_stats_reset",
    "rte_eth_tx_queue_setup",
    "rte_eth_xstats_get",
    "rte_eth_xstats_get_names",
    "rte_get_main_lcore",
    "rte_get_next_lcore",
    "rte_get_rx_ol_flag_name",
    "rte_lcore_cpuset",
    "rte_lcore_id",
    "rte_lcore_to_socket_id",
    "rte_malloc_get_socket_stats",
    "rte_mempool_avail_count",
    "rte_mempool_calc_obj_size",
    "rte_pktmbuf_alloc",
    "rte_pktmbuf_clone",
    "rte_pktmbuf_free",
    "rte_pktmbuf_free_bulk",
    "rte_pktmbuf_pool_create",
    "rte_ring_count",
    "rte_ring_create",
    "rte_ring_free",
    "rte_ring_lookup",
    "rte_ring_sc_dequeue_burst",
    "rte_ring_sp_enqueue_burst",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_version",
    "shim_.*",
];

/// Types whose insides Rust does not look into: their layouts differ between DPDK versions, or
/// Rust cannot express them (both packed and aligned).
const OPAQUE_TYPES: &[&str] = &[
    "rte_arp_hdr",
    "rte_arp_ipv4",
    "rte_device",
    "rte_devargs",
    "rte_l2tpv2_combined_msg_hdr",
    "rte_mbuf",
    "rte_mbuf_ext_shared_info",
    "rte_mempool",
    "rte_ring",
];

fn main() {
    assert!(FUNCTIONS.is_sorted(), "the list of functions is kept sorted");
    let dpdk = probe();
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let source_dir =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"))
            .join("src");
    let craft = env::var_os("CARGO_FEATURE_CRAFT").is_some();
    let mut flags = dpdk.cflags.clone();
    // For `rte_eth_read_clock`, which is marked as experimental; and for CPU sets, without which
    // the headers leave out what takes or returns one.
    flags.extend(["-DALLOW_EXPERIMENTAL_API".to_owned(), "-D_GNU_SOURCE".to_owned()]);
    if craft {
        flags.push("-DWEIR_SHIM_CRAFT".to_owned());
    }
    generate_bindings(&source_dir, &out_dir, &flags);
    compile_shim(&source_dir, &out_dir, &flags);
    emit_metadata(&dpdk);
}

/// What pkg-config knows about the installed DPDK.
struct Dpdk {
    version: String,
    cflags: Vec<String>,
    link_paths: Vec<PathBuf>,
}

fn probe() -> Dpdk {
    let found = pkg_config::Config::new()
        .atleast_version(DPDK_VERSION_MIN)
        .cargo_metadata(false)
        .probe("libdpdk")
        .unwrap_or_else(|error| {
            fail(&format!(
                "DPDK {DPDK_VERSION_MIN} or newer with its headers was not found: install the \
                 package libdpdk-dev (Debian, Ubuntu), and pkg-config. If DPDK is installed \
                 elsewhere, name the folder of libdpdk.pc in PKG_CONFIG_PATH. To build Weir \
                 without DPDK, build it with --no-default-features.\n\n{error}"
            ))
        });
    Dpdk { version: found.version, cflags: cflags(), link_paths: found.link_paths }
}

/// Returns every flag that DPDK wants its users compiled with. The `pkg_config` crate keeps only
/// some of them; `-include rte_config.h` and the `-march` that the headers' inline code was
/// written for are as important as the include paths.
fn cflags() -> Vec<String> {
    let pkg_config = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(pkg_config)
        .args(["--cflags", "libdpdk"])
        .output()
        .unwrap_or_else(|error| fail(&format!("pkg-config could not be run: {error}")));
    if !output.status.success() {
        fail(&format!("pkg-config failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

fn generate_bindings(source_dir: &Path, out_dir: &Path, flags: &[String]) {
    let builder = bindgen::Builder::default()
        .header(source_dir.join("wrapper.h").to_str().expect("cargo's paths are UTF-8"))
        .clang_args(flags)
        .allowlist_var("SHIM_.*")
        .wrap_static_fns(true)
        .wrap_static_fns_path(out_dir.join("static_wrappers"))
        .wrap_unsafe_ops(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .generate_comments(false)
        .derive_debug(false)
        .derive_default(true)
        .prepend_enum_name(false)
        .use_core();
    let builder = FUNCTIONS.iter().fold(builder, |b, name| b.allowlist_function(name));
    let builder = OPAQUE_TYPES.iter().fold(builder, |b, name| b.opaque_type(name));
    // bindgen loads libclang when it is first needed, and panics where there is none.
    if std::panic::catch_unwind(bindgen::clang_version).is_err() {
        fail(
            "libclang, which reads DPDK's headers, was not found: install the package \
             libclang-dev (Debian, Ubuntu; libclang-14-dev will do), or name the folder of \
             libclang.so in LIBCLANG_PATH",
        );
    }
    let bindings = builder
        .generate()
        .unwrap_or_else(|error| fail(&format!("bindgen could not read DPDK's headers: {error}")));
    bindings.write_to_file(out_dir.join("bindings.rs")).expect("OUT_DIR can be written to");
}

fn compile_shim(source_dir: &Path, out_dir: &Path, flags: &[String]) {
    let mut build = cc::Build::new();
    for flag in flags {
        build.flag(flag);
    }
    build
        .file(source_dir.join("shim.c"))
        .file(out_dir.join("static_wrappers.c"))
        .include(source_dir)
        .opt_level(3)
        // Constants that only some files use, and a cast that bindgen's wrappers leave out.
        .flag_if_supported("-Wno-unused-const-variable")
        .flag_if_supported("-Wno-deprecated-declarations")
        .flag_if_supported("-Wno-discarded-qualifiers")
        .compile("weir_dpdk_shim");
}

fn emit_metadata(dpdk: &Dpdk) {
    for path in &dpdk.link_paths {
        println!("cargo:rustc-link-search=native={}", path.display());
    }
    for library in LIBRARIES {
        println!("cargo:rustc-link-lib={library}");
    }
    println!("cargo:rustc-env=WEIR_DPDK_VERSION={}", dpdk.version);
    println!("cargo:version={}", dpdk.version);
    for source in ["build.rs", "src/wrapper.h", "src/shim.h", "src/shim.c"] {
        println!("cargo:rerun-if-changed={source}");
    }
    for variable in ["PKG_CONFIG", "PKG_CONFIG_PATH", "LIBCLANG_PATH", "CC"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
}

/// Ends the build with a message for the person who started it.
fn fail(message: &str) -> ! {
    eprintln!("\nerror: {message}\n");
    exit(1)
}
