use super::*;

/// A server that is in order, but for `changes`.
fn facts(changes: &[(&str, &str)]) -> Facts {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let all = [
        ("redis_version", "7.2.4"),
        ("role", "master"),
        ("run_id", id),
        ("master_replid", id),
        ("maxmemory_policy", "noeviction"),
        ("maxmemory", "0"),
        ("aof_enabled", "1"),
        ("appendfsync", "everysec"),
        ("connected_slaves", "0"),
        ("loading", "0"),
    ];
    let all = all.iter().chain(changes);
    Facts(
        all.map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    )
}

fn judged(ack: Ack, fence: Fence, changes: &[(&str, &str)]) -> Result<Server, Misfit> {
    judge(&facts(changes), ack, fence, &Config::default())
}

#[test]
fn rd_09_misfits_are_named() {
    for (changes, part) in [
        (&[("redis_version", "6.0.16")][..], "6.0.16"),
        (&[("run_id", "")], "run_id"),
        (&[("run_id", "0")], "fence=replid"),
        (&[("master_replid", "?")], "master_replid"),
        (&[("maxmemory_policy", "allkeys-lfu")], "allkeys-lfu"),
    ] {
        let misfit = judged(Ack::Server, Fence::RunId, changes).unwrap_err();
        let named = matches!(&misfit, Misfit::Unfit(why) if why.contains(part));
        assert!(named, "{changes:?}: {misfit}");
    }
    let hidden = judged(Ack::Server, Fence::ReplId, &[("run_id", "")]);
    assert!(hidden.is_ok(), "its replication id is enough");
    let replica = judged(Ack::Server, Fence::RunId, &[("role", "slave")]);
    assert!(matches!(replica, Err(Misfit::Replica(_))), "{replica:?}");
    let loading = judged(Ack::Server, Fence::RunId, &[("loading", "1")]);
    assert!(matches!(loading, Err(Misfit::Silent(_))), "{loading:?}");
}

/// The acknowledgement ladder, rung by rung.
#[test]
fn rd_07_ladder_is_climbed_as_the_server_can() {
    let old = ("redis_version", "7.0.15");
    let always = ("appendfsync", "always");
    let off = ("aof_enabled", "0");
    for (ack, changes, expected) in [
        (Ack::Server, &[][..], Some(Wait::Nothing)),
        (Ack::Server, &[off], Some(Wait::Nothing)),
        (Ack::Fsync, &[], Some(Wait::Disk { replicas: 0 })),
        (Ack::Fsync, &[always], Some(Wait::Nothing)),
        (Ack::Fsync, &[old, always], Some(Wait::Nothing)),
        (Ack::Fsync, &[old], None),
        (Ack::Fsync, &[off], None),
        (Ack::Replicated, &[], Some(Wait::Disk { replicas: 1 })),
        (Ack::Replicated, &[old], Some(Wait::Replica)),
        (Ack::Replicated, &[off], Some(Wait::Replica)),
    ] {
        let judged = judged(ack, Fence::RunId, changes);
        let wait = judged.ok().map(|server| server.wait);
        assert_eq!(wait, expected, "{ack:?} {changes:?}");
    }
}

#[test]
fn rd_09_doubts_are_warnings() {
    for (ack, changes, part) in [
        (Ack::Server, &[("aof_enabled", "0")][..], "appendonly no"),
        (
            Ack::Server,
            &[("maxmemory_policy", "volatile-lru")],
            "volatile-lru",
        ),
        (
            Ack::Server,
            &[("maxmemory", "1000000000")],
            "maxmemory 1000000000",
        ),
        (Ack::Replicated, &[], "no replica"),
    ] {
        let server = judged(ack, Fence::RunId, changes).unwrap();
        assert_eq!(server.warnings.len(), 1, "{changes:?}");
        assert!(server.warnings[0].contains(part), "{:?}", server.warnings);
    }
    let fine = judged(Ack::Server, Fence::RunId, &[("maxmemory", "2000000000")]).unwrap();
    assert_eq!(fine.warnings, [""; 0]);
}

#[test]
fn loss_windows_follow_from_persistence_and_replicas() {
    let always = ("appendfsync", "always");
    let replica = ("connected_slaves", "1");
    for (ack, changes, expected) in [
        (Ack::Server, &[always][..], &[][..]),
        (Ack::Server, &[], &["2 s"]),
        (Ack::Server, &[replica], &["2 s", "becomes the primary"]),
        (Ack::Fsync, &[], &[]),
        (Ack::Fsync, &[replica], &["becomes the primary"]),
        (
            Ack::Replicated,
            &[always, replica],
            &["becomes the primary"],
        ),
        (
            Ack::Server,
            &[("aof_enabled", "0"), ("save", "")],
            &["everything, when"],
        ),
        (Ack::Server, &[("aof_enabled", "0")], &["last snapshot"]),
    ] {
        let window = loss_window(&facts(changes), ack).unwrap_or_default();
        assert_eq!(
            window.is_empty(),
            expected.is_empty(),
            "{changes:?}: {window}"
        );
        for part in expected {
            assert!(window.contains(part), "{changes:?}: {window}");
        }
    }
}
