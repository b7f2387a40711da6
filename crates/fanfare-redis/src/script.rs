//! Scripts: each a step that the server makes as one.

use std::sync::LazyLock;

use redis::{Cmd, Value};

use crate::link::{Connection, Fault};

/// A script, and the hash that the server knows it by.
pub(crate) struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

/// Appends a batch, and trims.
pub(crate) static APPEND: Script = Script {
    text: include_str!("script/append.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/append.lua"))),
};

/// Tells what is retained.
pub(crate) static BOUNDS: Script = Script {
    text: include_str!("script/bounds.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/bounds.lua"))),
};

/// Finds an id.
pub(crate) static FIND: Script = Script {
    text: include_str!("script/find.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/find.lua"))),
};

/// Takes a lease.
pub(crate) static ENTER: Script = Script {
    text: include_str!("script/enter.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/enter.lua"))),
};

/// Keeps a lease, and changes entries.
pub(crate) static RENEW: Script = Script {
    text: include_str!("script/renew.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/renew.lua"))),
};

/// Takes over a node whose lease ran out.
pub(crate) static REAP: Script = Script {
    text: include_str!("script/reap.lua"),
    hash: LazyLock::new(|| hash(include_str!("script/reap.lua"))),
};

fn hash(text: &str) -> String {
    redis::Script::new(text).get_hash().to_owned()
}

impl Script {
    /// The call by its hash; the server may not know it.
    pub(crate) fn call(&self, words: &Words) -> Cmd {
        self.command("EVALSHA", self.hash.as_bytes(), words)
    }

    /// The call by its text, which makes the server know it.
    pub(crate) fn introduce(&self, words: &Words) -> Cmd {
        self.command("EVAL", self.text.as_bytes(), words)
    }

    /// Runs it, and introduces it first if need be: after a restart, a failover, `SCRIPT FLUSH`.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        words: &Words,
    ) -> Result<Value, Fault> {
        match connection.ask(&self.call(words)).await {
            Err(Fault::Refused { code, .. }) if code == UNKNOWN_SCRIPT => {
                connection.ask(&self.introduce(words)).await
            }
            answer => answer,
        }
    }

    fn command(&self, name: &str, script: &[u8], words: &Words) -> Cmd {
        let size = words.bytes() + script.len() + 64;
        let mut command = Cmd::with_capacity(words.keys.len() + words.arguments.len() + 3, size);
        command.arg(name).arg(script).arg(words.keys.len());
        for word in words.keys.iter().chain(&words.arguments) {
            command.arg(word.as_slice());
        }
        command
    }
}

/// The server's code for a script that it does not know.
pub(crate) const UNKNOWN_SCRIPT: &str = "NOSCRIPT";

/// What a script is called with.
#[derive(Debug, Default)]
pub(crate) struct Words {
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Words {
    pub(crate) fn new<const N: usize>(keys: [&str; N]) -> Self {
        Self {
            keys: keys.map(|key| key.as_bytes().to_vec()).into(),
            arguments: Vec::new(),
        }
    }

    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.keys.push(key.as_bytes().to_vec());
        self
    }

    pub(crate) fn argument(&mut self, argument: impl Into<Vec<u8>>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// A number, in decimal.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.argument(number.to_string())
    }

    fn bytes(&self) -> usize {
        let words = self.keys.iter().chain(&self.arguments);
        words.map(|word| word.len() + 16).sum()
    }
}
