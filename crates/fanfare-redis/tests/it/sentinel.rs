//! Sentinels: they replace the primary, and the broker finds the new one by itself.

use std::sync::Mutex;
use std::time::Duration;

use fanfare_broker::Broker;
use fanfare_redis::{Address, Config, RedisBroker};
use fanfare_testkit::redis_server::{RedisServer, free_port};

use crate::outage::under_publishes;
use crate::sample::{connect_as, history, run, store, until};

/// `redis+sentinel://…/main`, with one more in front that does not answer.
fn address(sentinels: &[RedisServer]) -> String {
    let nobody = format!("127.0.0.1:{}", free_port());
    let places = sentinels
        .iter()
        .map(|it| format!("127.0.0.1:{}", it.port()));
    let places: Vec<_> = std::iter::once(nobody).chain(places).collect();
    format!("redis+sentinel://{}/main", places.join(","))
}

/// Sentinels hear of each other over the primary; they agree on nothing before.
async fn know_each_other(sentinels: &[RedisServer]) {
    until("sentinels know each other and the replica", async || {
        sentinels.iter().all(|sentinel| {
            let primary = sentinel.command(&["SENTINEL", "MASTER", "main"]);
            let primary: Vec<_> = primary.lines().collect();
            let counts = |name: &str, count: &str| primary.windows(2).any(|it| it == [name, count]);
            counts("num-other-sentinels", "2") && counts("num-slaves", "1")
        })
    })
    .await;
}

/// What a sentinel says of where the primary is.
fn primary(sentinel: &RedisServer) -> String {
    let place = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
    place.lines().last().unwrap().to_owned()
}

/// Publishers under keys and a tail go on at the replica that becomes the primary; all that was
/// acknowledged is there, once and in order.
#[test]
fn rd_07_sentinels_promote_and_nothing_replicated_is_lost() {
    run(async {
        let first = RedisServer::start(&[]);
        let second = RedisServer::replica(&first, &[]);
        let sentinels = [(); 3].map(|()| RedisServer::sentinel(&first, "main", &[]));
        know_each_other(&sentinels).await;
        let mut config = Config::default();
        config.broker_response_timeout = Duration::from_secs(1);
        let address = format!("{}?ack=replicated", address(&sentinels));
        let broker = connect_as(&address, config).await;

        let first = Mutex::new(first);
        let third: Mutex<Option<RedisServer>> = Mutex::default();
        under_publishes(&broker, async |round| {
            if round > 1 {
                return false;
            }
            first.lock().unwrap().kill();
            let port = second.port().to_string();
            until("the replica is promoted", async || {
                sentinels.iter().all(|sentinel| primary(sentinel) == port)
            })
            .await;
            // Without a replica of its own nothing is acknowledged.
            *third.lock().unwrap() = Some(RedisServer::replica(&second, &[]));
            true
        })
        .await;
        let stored = history(&broker).await.len().to_string();
        assert_eq!(second.command(&["XLEN", "fanfare:{main}:log"]), stored);
    });
}

/// A sentinel may be behind: what it names is believed only when it says so itself.
#[test]
fn rd_09_sentinel_that_names_a_replica_is_not_believed() {
    run(async {
        let first = RedisServer::start(&[]);
        let second = RedisServer::replica(&first, &[]);
        let right = RedisServer::sentinel(&first, "main", &[]);
        let wrong = RedisServer::sentinel(&second, "main", &[]);
        let config = || {
            let mut config = Config::default();
            config.broker_start_patience = Duration::from_millis(100);
            config
        };
        let only_wrong: Address = format!("redis+sentinel://127.0.0.1:{}/main", wrong.port())
            .parse()
            .unwrap();
        let error = RedisBroker::connect(only_wrong, config())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not the primary"), "{error}");
        let unknown = format!("redis+sentinel://127.0.0.1:{}/other", right.port());
        let error = RedisBroker::connect(unknown.parse().unwrap(), config()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no sentinel says where other is"), "{error}");

        let both = format!(
            "redis+sentinel://127.0.0.1:{},127.0.0.1:{}/main",
            wrong.port(),
            right.port()
        );
        let broker = connect_as(&both, Config::default()).await;
        store(&broker, 0..1).await;
        assert_eq!(broker.bounds().await.unwrap().head_offset(), 1);
    });
}

/// Sentinels with a password of their own have the servers' one.
#[test]
fn sentinel_that_wants_a_password_gets_the_servers() {
    run(async {
        let first = RedisServer::start(&["requirepass hunter2"]);
        let sentinel = RedisServer::sentinel(&first, "main", &["requirepass hunter2"]);
        let place = format!("127.0.0.1:{}/main/1", sentinel.port());
        let address = format!("redis+sentinel://:hunter2@{place}");
        let broker = connect_as(&address, Config::default()).await;
        store(&broker, 0..1).await;
    });
}
