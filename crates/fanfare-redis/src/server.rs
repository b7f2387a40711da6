//! What the server is, and whether it can keep what is promised (RD9).

use std::collections::HashMap;
use std::str;

use redis::{Value, cmd};

use crate::address::Address;
use crate::config::{Ack, Config, Fence};
use crate::link::{Connection, Fault};

/// A server that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Server {
    /// What must follow a batch on its connection before it is acknowledged.
    pub(crate) wait: Wait,
    /// What may be lost, and when; `None`: nothing, as long as its disk keeps what it was told to.
    pub(crate) loss_window: Option<String>,
    /// What works, but perhaps not as it was meant.
    pub(crate) warnings: Vec<String>,
}

/// What a publish waits for, besides the script's own answer (RD7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    /// Nothing.
    Nothing,
    /// `WAIT 1`: a replica has it.
    Replica,
    /// `WAITAOF 1 replicas`: the disk of the server has it, and of so many replicas.
    Disk { replicas: u32 },
}

/// Why a server is not used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Misfit {
    /// It did not say what it is; another attempt may help.
    #[error(transparent)]
    Silent(#[from] Fault),
    /// It cannot keep what is promised, or not as it is set up.
    #[error("{0}")]
    Unfit(String),
    /// It is not the primary now; after a failover another attempt may help.
    #[error("{0}")]
    Replica(String),
}

/// Asks the server what it is, and judges it.
pub(crate) async fn look(
    connection: &mut Connection,
    address: &Address,
    config: &Config,
) -> Result<Server, Misfit> {
    let info = match connection.ask(&cmd("INFO")).await? {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } => text,
        other => return Err(Fault::odd(&other).into()),
    };
    let mut facts: HashMap<String, String> = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    for name in ["appendfsync", "save"] {
        // Hosted services refuse it; then nobody knows.
        let answer = connection.ask(cmd("CONFIG").arg("GET").arg(name)).await;
        if let Some(value) = answer.ok().and_then(second) {
            facts.insert(name.to_owned(), value);
        }
    }
    judge(&Facts(facts), address.ack(), address.fence(), config)
}

/// The value of a setting: an array or map of its name and that.
fn second(answer: Value) -> Option<String> {
    let value = match answer {
        Value::Array(pair) => pair.into_iter().nth(1)?,
        Value::Map(pairs) => pairs.into_iter().next()?.1,
        _ => return None,
    };
    redis::from_redis_value(value).ok()
}

/// What a server says of itself: `INFO`, and what it tells of its settings.
#[derive(Debug)]
struct Facts(HashMap<String, String>);

impl Facts {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// Major and minor number of the commands that it knows; Valkey says which Redis it is like.
    fn version(&self) -> (u32, u32) {
        let mut parts = self.text("redis_version").split('.');
        let mut part = || parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        (part(), part())
    }

    fn shows(&self, name: &str) -> bool {
        let id = self.text(name);
        id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn appends(&self) -> bool {
        self.text("aof_enabled") == "1"
    }

    fn fsyncs_always(&self) -> bool {
        self.appends() && self.text("appendfsync") == "always"
    }
}

fn judge(facts: &Facts, ack: Ack, fence: Fence, config: &Config) -> Result<Server, Misfit> {
    let version = facts.text("redis_version");
    let unfit = |why: String| Err(Misfit::Unfit(why));
    if facts.text("loading") == "1" {
        // Until then it says of itself what does not hold, such as that it appends nothing.
        let (code, why) = ("LOADING".to_owned(), "it reads its data".to_owned());
        return Err(Fault::Refused { code, why }.into());
    }
    if facts.version() < (6, 2) {
        return unfit(format!(
            "it is version {version}; 6.2 is the oldest that will do"
        ));
    }
    if facts.text("role") != "master" {
        let of = format!(
            "{}:{}",
            facts.text("master_host"),
            facts.text("master_port")
        );
        return Err(Misfit::Replica(format!(
            "it is a replica of {of}; the address must be the primary's"
        )));
    }
    if fence == Fence::RunId && !facts.shows("run_id") {
        return unfit(
            "it hides its run_id, by which a restart is seen; `fence=replid` does without, if its \
             replication id is shown"
                .to_owned(),
        );
    }
    if !facts.shows("master_replid") {
        return unfit("it hides its master_replid, by which a failover is seen".to_owned());
    }
    let policy = facts.text("maxmemory_policy");
    if policy.starts_with("allkeys") {
        return unfit(format!(
            "its maxmemory-policy is {policy}, which throws events away when memory is short; set \
             it to noeviction"
        ));
    }
    Ok(Server {
        wait: wait_for(facts, ack)?,
        loss_window: loss_window(facts, ack),
        warnings: warnings(facts, ack, config),
    })
}

/// The acknowledgement ladder.
fn wait_for(facts: &Facts, ack: Ack) -> Result<Wait, Misfit> {
    let version = facts.text("redis_version");
    let knows_waitaof = facts.version() >= (7, 2);
    match ack {
        Ack::Server => Ok(Wait::Nothing),
        Ack::Fsync if !facts.appends() => Err(Misfit::Unfit(
            "`ack=fsync` needs `appendonly yes`: nothing is written to its disk as it comes"
                .to_owned(),
        )),
        Ack::Fsync if facts.fsyncs_always() => Ok(Wait::Nothing),
        Ack::Fsync if knows_waitaof => Ok(Wait::Disk { replicas: 0 }),
        Ack::Fsync => Err(Misfit::Unfit(format!(
            "`ack=fsync` needs `appendfsync always`, or WAITAOF, which it does not have: it is \
             version {version}, that came with 7.2"
        ))),
        Ack::Replicated if facts.appends() && knows_waitaof => Ok(Wait::Disk { replicas: 1 }),
        Ack::Replicated => Ok(Wait::Replica),
    }
}

/// What an acknowledged event may be lost by, as people read it.
fn loss_window(facts: &Facts, ack: Ack) -> Option<String> {
    let own = match (facts.appends(), facts.text("appendfsync")) {
        (true, "always") => None,
        (true, _) if ack == Ack::Fsync => None,
        (true, "no") => Some("what its system had not written, at a loss of the server's power"),
        (true, _) => Some("the last 2 s before a loss of the server's power"),
        (false, _) => match facts.0.get("save").map(String::as_str) {
            Some("") => Some("everything, when the server ends"),
            _ => Some("everything since its last snapshot, when the server ends"),
        },
    };
    let replicas = facts.number("connected_slaves") > 0;
    let replaced = match ack {
        Ack::Replicated => Some("what another replica had not got, when that becomes the primary"),
        Ack::Server | Ack::Fsync if replicas => {
            Some("what a replica had not got yet, when it becomes the primary")
        }
        Ack::Server | Ack::Fsync => None,
    };
    let windows: Vec<_> = own.into_iter().chain(replaced).collect();
    (!windows.is_empty()).then(|| windows.join("; "))
}

fn warnings(facts: &Facts, ack: Ack, config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if !facts.appends() {
        warnings.push(
            "Redis has `appendonly no`: a restart costs what was stored since its last snapshot"
                .to_owned(),
        );
    }
    let policy = facts.text("maxmemory_policy");
    if policy.starts_with("volatile") {
        warnings.push(format!(
            "Redis has maxmemory-policy {policy}: when memory is short it forgets idempotency \
             keys, and a repeated publish is stored twice; noeviction would be right"
        ));
    }
    let maxmemory = facts.number("maxmemory");
    if maxmemory > 0 && maxmemory < config.history_bytes_max / 4 * 5 {
        warnings.push(format!(
            "Redis has maxmemory {maxmemory}, a history may take {}: publishing may get 507 before \
             the oldest events go; give it a quarter more than history-bytes-max",
            config.history_bytes_max
        ));
    }
    if ack == Ack::Replicated && facts.number("connected_slaves") == 0 {
        warnings.push(
            "Redis has no replica, and `ack=replicated` waits for one: publishing gets 504"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests;
