//! The crowd against a hub of a few lines that can be told to lose, double and swap events.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;

const SUBSCRIBERS: usize = 3;

/// Says which of the published events, by index, subscriber `i` gets after the `n`-th publish.
type Script = fn(i: usize, n: usize) -> Vec<usize>;

/// Serves one publisher and [`SUBSCRIBERS`] subscribers, who come to the nodes in turns.
fn serve(nodes: &[TcpListener], script: Script) -> io::Result<()> {
    let mut published: Vec<String> = Vec::new();
    let (mut publisher, _) = nodes[0].accept()?;
    let mut subscribers = HashMap::new();
    for index in 0..SUBSCRIBERS {
        let (mut socket, _) = nodes[index % nodes.len()].accept()?;
        answer(&mut socket)?;
        subscribers.insert(index, socket);
    }
    while let Some(request) = read_request(&mut publisher)? {
        let (_, data) = request.rsplit_once(r#""data":""#).unwrap();
        published.push(data.trim_end_matches(r#""}"#).to_owned());
        publisher.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        for (index, socket) in &mut subscribers {
            for event in script(*index, published.len()) {
                let event = format!("id: {event}\ndata: {}\n\n", published[event]);
                write!(socket, "{:x}\r\n{event}\r\n", event.len())?;
            }
        }
    }
    Ok(())
}

fn answer(socket: &mut TcpStream) -> io::Result<()> {
    read_request(socket)?;
    // The head and the first bytes come apart, as they may.
    socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    socket.write_all(b"2\r\n:\n\r\n")
}

/// Reads a request whose body, if any, is JSON; `None` at the end.
fn read_request(socket: &mut TcpStream) -> io::Result<Option<String>> {
    let mut request = String::new();
    let mut byte = [0];
    loop {
        if socket.read(&mut byte)? == 0 {
            return Ok(None);
        }
        request.push(char::from(byte[0]));
        let whole = if request.starts_with("GET") {
            request.ends_with("\r\n\r\n")
        } else {
            request.ends_with('}')
        };
        if whole {
            return Ok(Some(request));
        }
    }
}

fn run(script: Script) -> Report {
    run_on(1, script)
}

fn run_on(nodes: usize, script: Script) -> Report {
    let listen = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<_> = (0..nodes).map(listen).collect();
    let target = |listener: &TcpListener| {
        let url = format!("http://{}", listener.local_addr().unwrap());
        Target::resolve(&url, None).unwrap()
    };
    let targets = listeners.iter().map(target).collect();
    let server = thread::Builder::new().spawn(move || serve(&listeners, script));
    let config = Config {
        subscribers: SUBSCRIBERS,
        publishers: 1,
        settle_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let mut crowd = Crowd::connect_to_all(targets, config, &mut |_| {}).unwrap();
    // Fifty events: the scripts speak of the seventh and the eighth.
    let pace = Pace::Rate(1000.0);
    let report = crowd
        .run(pace, Duration::from_millis(50), &mut |_| {})
        .unwrap();
    drop(crowd);
    server.unwrap().join().unwrap().unwrap();
    report
}

fn errors(report: &Report) -> [u64; 4] {
    [
        report.lost,
        report.doubled,
        report.reordered,
        report.foreign,
    ]
}

#[test]
fn a_good_hub_is_clean() {
    let report = run(|_, n| vec![n - 1]);
    assert_eq!(errors(&report), [0; 4]);
    assert!(report.is_clean());
}

#[test]
fn a_loss_is_found() {
    let report = run(|i, n| {
        if (i, n) == (1, 7) {
            vec![]
        } else {
            vec![n - 1]
        }
    });
    assert_eq!(errors(&report), [1, 0, 0, 0]);
    assert!(!report.is_clean());
}

#[test]
fn a_double_is_found() {
    let report = run(|i, n| vec![n - 1; if (i, n) == (1, 7) { 2 } else { 1 }]);
    assert_eq!(errors(&report), [0, 1, 0, 0]);
}

#[test]
fn a_swap_is_found() {
    let swap = |i, n| match (i, n) {
        (1, 7) => vec![],
        (1, 8) => vec![7, 6],
        _ => vec![n - 1],
    };
    assert_eq!(errors(&run(swap)), [0, 0, 1, 0]);
}

#[test]
fn nodes_share_the_subscribers() {
    // The server waits for one subscriber at its second node, and for two at its first.
    let report = run_on(2, |_, n| vec![n - 1]);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.received, report.published * SUBSCRIBERS as u64);
}

#[test]
fn nodes_that_disagree_about_the_order_are_found() {
    let report = run_on(2, |i, n| match (i, n) {
        (1, 7) => vec![],
        (1, 8) => vec![7, 6],
        _ => vec![n - 1],
    });
    assert_eq!(errors(&report), [0, 0, 1, 0]);
}

#[test]
fn a_hub_without_nodes_is_refused() {
    let error = Crowd::connect_to_all(Vec::new(), Config::default(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, LoadError::Config { field: "nodes", .. }),
        "{error:?}"
    );
}

#[test]
fn an_absent_hub_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let target = Target::resolve(&url, None).unwrap();
    let error = Crowd::connect(target, Config::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, LoadError::Connect(_)), "{error:?}");
}

#[test]
fn a_refused_subscriber_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::Builder::new().spawn(move || {
        let _publisher = listener.accept()?;
        let (mut subscriber, _) = listener.accept()?;
        read_request(&mut subscriber)?;
        subscriber.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno\n")
    });
    let config = Config {
        subscribers: 1,
        publishers: 1,
        ..Config::default()
    };
    let target = Target::resolve(&url, None).unwrap();
    let error = Crowd::connect(target, config, &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, LoadError::Refused { status: 401, said, .. } if said == "no\n"),
        "{error:?}",
    );
    server.unwrap().join().unwrap().unwrap();
}
