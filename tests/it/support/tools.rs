//! Other people's readers, where they are installed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::skip;

/// Runs a tool, or says that it is not installed and returns `None`.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skip(&format!("{program} is not installed"));
            None
        }
        Err(error) => panic!("could not run {program}: {error}"),
    }
}

/// Runs a tool that must succeed, and returns what it printed.
pub(crate) fn print(program: &str, arguments: &[&str]) -> Option<String> {
    let output = run(program, arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {said}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Has tshark read a file, and returns a line of tab-separated fields for each packet.
pub(crate) fn tshark(path: &Path, fields: &[&str]) -> Option<Vec<String>> {
    let path = path.to_str().unwrap();
    let mut arguments = vec!["-n", "-r", path, "-T", "fields"];
    fields.iter().for_each(|field| arguments.extend(["-e", field]));
    Some(print("tshark", &arguments)?.lines().map(str::to_owned).collect())
}

/// Has `zstdcat FILE | tcpdump -r -` read a file, and returns how many packets it found.
pub(crate) fn zstdcat_tcpdump(path: &Path) -> Option<usize> {
    run("tcpdump", &["--version"])?;
    run("zstd", &["--version"])?;
    let mut zstdcat = Command::new("zstdcat").arg(path).stdout(Stdio::piped()).spawn().unwrap();
    let output = Command::new("tcpdump")
        .args(["-n", "--count", "-r", "-"])
        .stdin(zstdcat.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(zstdcat.wait().unwrap().success(), "zstdcat {}", path.display());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split_once(' ').unwrap().0.parse().unwrap())
}
