//! `cargo xtask demo`: what it prints can be pasted, and does what is said of it.

use std::fs;
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;

use crate::program::Program;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn p2_reader_goes_on_at_another_node_when_its_own_is_killed() {
    let demo = Demo::start();

    let reader = Program::paste(&format!("exec {}", demo.shown("read at B")));
    reader.line_that(|line| line == ": connection established");
    let publish = Program::paste(&demo.shown("publish at A")).wait();
    let id = publish.stdout.trim().to_owned();
    assert!(id.starts_with("urn:ff:"), "{publish:?}");
    reader.line_that(|line| line == format!("id: {id}"));
    reader.line_that(|line| line == "data: hello");

    let killed = Program::paste(&demo.shown("kill A")).wait();
    assert_eq!(killed.code, Some(0), "{killed:?}");
    let after = Program::paste(&demo.publish_at_b()).wait();
    assert_eq!(after.code, Some(0), "{after:?}");

    let go_on = demo.shown("go on at B");
    let resumed = Program::paste(&format!("ID={id}; exec {go_on}"));
    // Neither a gap, nor an event that it had, nor another that it lacks.
    let next = resumed.line_that(|line| !line.starts_with([':', 'r']) && !line.is_empty());
    assert_eq!(next, format!("id: {}", after.stdout.trim()));
    assert_eq!(resumed.line(), "data: A is gone");
    demo.end();
}

#[test]
fn proxy_of_deploy_passes_over_a_node_that_is_gone() {
    let demo = Demo::start();
    let hub = demo.shown("both, behind nginx");
    let reader = Program::paste(&format!("exec curl -sN '{hub}events?topic=demo'"));
    reader.line_that(|line| line == ": connection established");
    // It comes while the stream goes on: nothing waits for a buffer to fill.
    let publish = demo.publish_at_b().replace(&demo.node_b(), &hub);
    for _ in 0..4 {
        let published = Program::paste(&publish).wait();
        let id = published.stdout.trim().to_owned();
        assert!(id.starts_with("urn:ff:"), "{published:?}");
        reader.line_that(|line| line == format!("id: {id}"));
    }
    let killed = Program::paste(&demo.shown("kill A")).wait();
    assert_eq!(killed.code, Some(0), "{killed:?}");
    for _ in 0..4 {
        // Publishes are not sent twice, but a node that takes no connection got none.
        let published = Program::paste(&publish).wait();
        assert!(published.stdout.starts_with("urn:ff:"), "{published:?}");
        let reader = format!("exec curl -sN '{hub}events?topic=demo'");
        Program::paste(&reader).line_that(|line| line == ": connection established");
    }
    for inside in ["metrics", "readyz", "admin/revoke"] {
        let status = format!("curl -s -o /dev/null -w '%{{http_code}}' {hub}{inside}");
        let answer = Program::paste(&status).wait();
        assert_eq!(answer.stdout.trim(), "404", "{inside}: {answer:?}");
    }
    demo.end();
}

#[test]
fn n6_browser_is_told_when_to_return_while_no_hub_is_there() {
    let nobody = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    let (address, a, b) = (nobody(), nobody(), nobody());
    let configuration = fs::read_to_string(format!("{ROOT}/deploy/nginx.conf")).unwrap();
    let configuration = configuration
        .replace("/tmp/", &format!("{}/", folder.path().display()))
        .replace("0.0.0.0:8080", &address)
        .replace("hub-a:3000", &a)
        .replace("hub-b:3000", &b);
    let file = folder.path().join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    let settings = "daemon off; master_process off; error_log stderr notice;";
    let nginx = format!("exec nginx -c {} -e stderr -g '{settings}'", file.display());
    let nginx = Program::paste(&nginx);
    nginx.log_line_that(|line| line.contains("using the \"epoll\" event method"));

    let browser = format!("curl -si -H 'Accept: text/event-stream' http://{address}/events");
    let answer = Program::paste(&browser).wait().stdout;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        answer.contains("\nContent-Type: text/event-stream"),
        "{answer}"
    );
    let (_, retry) = answer.split_once("\nretry: ").unwrap();
    assert!(retry.trim().parse::<u32>().unwrap() >= 10_000, "{answer}");

    let publisher = format!("curl -si -d data=x http://{address}/.well-known/mercure");
    let answer = Program::paste(&publisher).wait().stdout;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}

/// The demo, ended when dropped.
struct Demo {
    program: Program,
    /// What it has printed.
    lines: Vec<String>,
}

impl Demo {
    fn start() -> Self {
        let program = Program::paste(&format!("cd '{ROOT}' && exec cargo xtask demo"));
        let mut lines = Vec::new();
        loop {
            let line = program.line();
            let is_last = line.contains("Ctrl-C");
            lines.push(line);
            if is_last {
                return Self { program, lines };
            }
        }
    }

    /// The lines below the one that begins with `title`.
    fn shown(&self, title: &str) -> String {
        let mut lines = self.lines.iter();
        let found = lines.any(|line| line.starts_with(title));
        assert!(found, "no {title} in {:?}", self.lines);
        let shown = lines.map_while(|line| line.strip_prefix("  "));
        shown.collect::<Vec<_>>().join("\n")
    }

    /// What publishes at B, in a terminal of its own.
    fn publish_at_b(&self) -> String {
        let at_a = self.shown("publish at A");
        let (token, _) = at_a.split_once('\n').unwrap();
        format!("{token}\n{}", self.shown("publish at B"))
    }

    /// Where node B is, with a slash at the end.
    fn node_b(&self) -> String {
        let pages = self.shown("pages");
        pages.lines().nth(1).unwrap().to_owned()
    }

    /// Ends it as Ctrl-C does: nothing is left of it.
    fn end(self) {
        let last = self.lines.last().unwrap();
        let (_, folder) = last.split_once(" is in ").unwrap();
        let (folder, _) = folder.split_once(". Ctrl-C").unwrap();
        assert!(fs::exists(folder).unwrap());
        self.program.signal(Signal::INT);
        let address = self.node_b();
        let address = address
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let folder = folder.to_owned();
        let ended = self.program.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(TcpStream::connect(address).is_err(), "B still listens");
        assert!(!fs::exists(folder).unwrap());
    }
}
