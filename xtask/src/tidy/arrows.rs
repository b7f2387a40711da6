//! Packages, and which of them may know which.

use anyhow::Context;
use toml::{Table, Value};

use super::Fault;
use crate::tree::Tree;

/// A package of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder, from the root.
    pub(super) folder: String,
    manifest: Table,
}

impl Package {
    /// Every package below the root.
    ///
    /// # Errors
    ///
    /// A manifest is not TOML.
    pub(super) fn all(tree: &Tree) -> anyhow::Result<Vec<Self>> {
        let mut packages = Vec::new();
        for (path, text) in tree.ending("/Cargo.toml") {
            let manifest: Table =
                toml::from_str(text).with_context(|| format!("{path} is no manifest"))?;
            let name = manifest.get("package").and_then(|it| it.get("name"));
            packages.push(Self {
                name: name.and_then(Value::as_str).unwrap_or_default().to_owned(),
                folder: path.trim_end_matches("/Cargo.toml").to_owned(),
                manifest,
            });
        }
        Ok(packages)
    }

    pub(super) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Names of the packages in a section such as `dependencies`.
    fn dependencies(&self, section: &str) -> impl Iterator<Item = &str> {
        let section = self.manifest.get(section).and_then(Value::as_table);
        section
            .into_iter()
            .flat_map(Table::keys)
            .map(String::as_str)
    }

    fn inherits_lints(&self) -> bool {
        let lints = self.manifest.get("lints");
        let inherits = lints.and_then(|lints| lints.get("workspace"));
        inherits.and_then(Value::as_bool) == Some(true)
    }
}

/// Folders that are not their package's name, packages without the workspace's lints, and
/// dependencies against the arrows.
pub(super) fn faults(packages: &[Package]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in packages {
        let path = package.manifest_path();
        let mut fault = |what| faults.push(Fault::in_file(&path, what));
        if !package.inherits_lints() {
            fault("needs `[lints] workspace = true`".to_owned());
        }
        let Some(folder) = package.folder.strip_prefix("crates/") else {
            continue;
        };
        if folder != package.name {
            fault(format!(
                "the folder of `{}` must have its name",
                package.name
            ));
        }
        let Some(rule) = RULES.iter().find(|rule| rule.name == package.name) else {
            fault(format!(
                "`{}` has no arrows; add them to xtask/src/tidy/arrows.rs",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies("dependencies") {
            if dependency.starts_with("fanfare") && !rule.knows.contains(&dependency) {
                fault(format!("`{}` must not know `{dependency}`", package.name));
            }
            if rule.is_outside(dependency) {
                fault(format!(
                    "`{dependency}` is not the business of `{}`",
                    package.name
                ));
            }
        }
        for dependency in package.dependencies("dev-dependencies") {
            let known = dependency == TESTKIT || rule.knows.contains(&dependency);
            if dependency.starts_with("fanfare") && !known {
                fault(format!(
                    "tests of `{}` must not know `{dependency}`",
                    package.name
                ));
            }
        }
    }
    faults
}

/// Every crate's tests may know it.
const TESTKIT: &str = "fanfare-testkit";

/// What a crate may know of the others, and what must stay outside of it.
struct Rule {
    name: &'static str,
    knows: &'static [&'static str],
    /// Beginnings of the names of dependencies that would break its bounds.
    outside: &'static [&'static str],
}

impl Rule {
    fn is_outside(&self, dependency: &str) -> bool {
        self.outside.iter().any(|outside| {
            let rest = dependency.strip_prefix(outside);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

/// wire ← broker ← {sqlite, redis, nats, hub} ← fanfare; wire ← client.
const RULES: [Rule; 9] = [
    Rule {
        name: "fanfare-wire",
        knows: &[],
        outside: &["tokio", "mio", "futures", "http", "hyper", "axum"],
    },
    Rule {
        name: "fanfare-broker",
        knows: &["fanfare-wire"],
        outside: &[
            "mio",
            "http",
            "hyper",
            "axum",
            "rusqlite",
            "redis",
            "async-nats",
        ],
    },
    Rule {
        name: "fanfare-sqlite",
        knows: &["fanfare-wire", "fanfare-broker"],
        outside: &["mio", "http", "hyper", "axum"],
    },
    Rule {
        name: "fanfare-redis",
        knows: &["fanfare-wire", "fanfare-broker"],
        outside: &["mio", "http", "hyper", "axum"],
    },
    Rule {
        name: "fanfare-nats",
        knows: &["fanfare-wire", "fanfare-broker"],
        outside: &["mio", "http", "hyper", "axum"],
    },
    Rule {
        name: "fanfare-hub",
        knows: &["fanfare-wire", "fanfare-broker"],
        outside: &[
            "http",
            "httparse",
            "hyper",
            "axum",
            "rusqlite",
            "redis",
            "async-nats",
        ],
    },
    Rule {
        name: "fanfare-client",
        knows: &["fanfare-wire"],
        outside: &["rusqlite", "redis", "async-nats", "axum"],
    },
    Rule {
        name: "fanfare",
        knows: &[
            "fanfare-wire",
            "fanfare-broker",
            "fanfare-sqlite",
            "fanfare-redis",
            "fanfare-nats",
            "fanfare-hub",
            "fanfare-client",
        ],
        outside: &[],
    },
    Rule {
        name: TESTKIT,
        knows: &["fanfare-wire", "fanfare-broker", "fanfare-hub"],
        outside: &[],
    },
];
