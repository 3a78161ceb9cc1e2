//! Replays the fuzz targets' corpora: what a fuzzer found once stays found.

use std::path::Path;

#[path = "../../../../fuzz/src/filter.rs"]
mod filter;

fn replay(target: &str, files_min: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&std::fs::read(path).unwrap());
        files += 1;
    }
    assert!(files >= files_min, "only {files} files in {}", folder.display());
}

#[test]
fn filter_compile() {
    replay("filter_compile", 25, filter::compile);
}

#[test]
fn filter_run() {
    replay("filter_run", 15, filter::run);
}
