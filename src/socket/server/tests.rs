use std::os::unix::fs::symlink;

use super::*;
use crate::socket::client::ask;

struct Echo;

impl Answer for Echo {
    fn answer(&self, verb: Verb) -> Reply {
        Reply::done(Some(serde_json::json!({ "verb": verb })))
    }
}

#[test]
fn answers_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/s.sock");
    let server = Server::start(&path, Echo).unwrap();
    let answer = ask(&path, Verb::Stats).unwrap().unwrap();
    assert_eq!(answer["verb"], "stats");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    drop(server);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn takes_the_place_of_a_dead_socket_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    drop(UnixListener::bind(&path).unwrap());
    let server = Server::start(&path, Echo).unwrap();
    let second = Server::start(&path, Echo);
    assert!(matches!(second, Err(SocketError::InUse { .. })));
    drop(server);

    std::fs::write(&path, "not a socket").unwrap();
    let on_file = Server::start(&path, Echo);
    assert!(matches!(on_file, Err(SocketError::NotASocket { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"not a socket");

    let link = directory.path().join("link.sock");
    symlink(directory.path().join("elsewhere"), &link).unwrap();
    assert!(matches!(Server::start(&link, Echo), Err(SocketError::NotASocket { .. })));

    let long = directory.path().join("x".repeat(120));
    assert!(matches!(Server::start(&long, Echo), Err(SocketError::PathTooLong { .. })));
}

#[test]
fn refuses_what_it_cannot_understand_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let _server = Server::start(&path, Echo).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let hostile = [
        "{}",
        "[[[[",
        "{\"version\":9,\"verb\":\"stats\"}",
        "\u{0}",
        "{\"version\":1,\"verb\":\"x\"}",
    ];
    for request in hostile {
        writeln!(stream, "{request}").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let reply: Reply = serde_json::from_str(&line).unwrap();
        assert!(!reply.ok, "{request}");
        assert!(reply.error.is_some());
    }
    writeln!(stream, "{{\"version\":1,\"verb\":\"rotate\"}}").unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("\"ok\":true"), "{line}");
}

#[test]
fn a_request_without_end_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let _server = Server::start(&path, Echo).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    let _ = stream.write_all(&vec![b'['; 1 << 16]);
    let mut text = String::new();
    let _ = BufReader::new(stream).read_line(&mut text);
    assert!(text.is_empty() || text.contains("too long"), "{text}");
    assert!(ask(&path, Verb::Stats).is_ok());
}

#[test]
fn a_client_that_drips_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let _server = Server::start(&path, Echo).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    let started_at = Instant::now();
    while stream.write_all(b" ").is_ok() {
        assert!(started_at.elapsed() < 4 * CLIENT_TIMEOUT, "it is still listened to");
        std::thread::sleep(Duration::from_millis(100));
    }
}
