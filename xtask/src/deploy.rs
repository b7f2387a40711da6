//! The files in `deploy/`, held against their formats by tools of their own.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::command::{Command, root};
use crate::tools;

/// Checks every file in `deploy/` for which there is a schema or a linter.
///
/// # Errors
///
/// A tool cannot be had, or finds a fault.
pub(crate) fn check() -> anyhow::Result<()> {
    tools::need(&tools::DEPLOY)?;
    install()?;
    python("yamllint")
        .arguments(["--strict", "--config-file", "deploy/.yamllint.yaml"])
        .arguments(["deploy"])
        .run()?;
    python("check_jsonschema")
        .arguments(["--builtin-schema", "vendor.compose-spec"])
        .arguments(COMPOSE)
        .run()?;
    for version in KUBERNETES_VERSIONS {
        python("kubernetes_validate")
            .arguments(["--strict", "--quiet", "--kubernetes-version", version])
            .arguments(KUBERNETES)
            .run()?;
    }
    Command::new(&format!("{PACKAGES}/bin/hadolint"))
        .arguments(["deploy/Dockerfile"])
        .run()?;
    check_unit()
}

const COMPOSE: [&str; 2] = ["deploy/compose.redis.yaml", "deploy/compose.nats.yaml"];
const KUBERNETES: [&str; 2] = [
    "deploy/kubernetes.yaml",
    "deploy/kubernetes.autoscaler.yaml",
];
/// The oldest that has all that the files use, and the newest.
const KUBERNETES_VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Installs the tools that are Python packages into the build folder, once for each list of them.
fn install() -> anyhow::Result<()> {
    let folder = root().join(PACKAGES);
    let wanted = fs::read(root().join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let installed = folder.join("installed");
    if fs::read(&installed).is_ok_and(|list| list == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {PACKAGES}"))?;
    }
    Command::new("python3")
        .arguments(["-m", "pip", "install", "--quiet", "--target", PACKAGES])
        .arguments(["--requirement", LIST])
        .run()?;
    Ok(fs::write(installed, wanted)?)
}

const LIST: &str = "deploy/requirements.txt";
const PACKAGES: &str = "target/deploy-checks";

fn python(module: &str) -> Command {
    Command::new("python3")
        .arguments(["-m", module])
        .variable("PYTHONPATH", PACKAGES)
}

/// The unit of systemd, with a program that is there in place of the one that it would start.
fn check_unit() -> anyhow::Result<()> {
    let unit = fs::read_to_string(root().join("deploy/fanfare.service"))?;
    let copy = Path::new(PACKAGES).join("fanfare.service");
    fs::write(
        root().join(&copy),
        unit.replace("/usr/local/bin/fanfare", "/bin/true"),
    )?;
    let copy = copy.to_string_lossy();
    // Of a name that it does not know it only complains.
    let complaints = Command::new("systemd-analyze")
        .arguments(["verify", &*copy])
        .complaints()?;
    ensure!(complaints.is_empty(), "{complaints}");
    // Its table is of interest only when it is over the limit.
    let security = ["security", "--no-pager", "--offline=yes"];
    let security = Command::new("systemd-analyze")
        .arguments(security)
        .arguments(["--threshold", EXPOSURE_MAX, &*copy]);
    if !security.succeeds() {
        bail!(
            "more exposed than {EXPOSURE_MAX} tenths: systemd-analyze security --offline=yes {copy}"
        );
    }
    Ok(())
}

/// In tenths, from 0 (nothing to be gained from the process) to 100.
const EXPOSURE_MAX: &str = "15";
