//! Programs that tests need, installed from Debian's packages where that is allowed.

use std::{env, fs};

use anyhow::bail;

use crate::command::Command;

/// A program, and the Debian package that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

pub(crate) const CURL: Tool = Tool {
    program: "curl",
    package: "curl",
};

pub(crate) const NATS_SERVER: Tool = Tool {
    program: "nats-server",
    package: "nats-server",
};

const CHROMIUM: Tool = Tool {
    program: "chromium",
    package: "chromium",
};

const REDIS: Tool = Tool {
    program: "redis-server",
    package: "redis-server",
};

pub(crate) const ALL: [Tool; 8] = [
    CURL,
    CHROMIUM,
    REDIS,
    Tool {
        program: "nginx",
        package: "nginx",
    },
    Tool {
        program: "chromedriver",
        package: "chromium-driver",
    },
    Tool {
        program: "h2load",
        package: "nghttp2-client",
    },
    Tool {
        program: "ip",
        package: "iproute2",
    },
    Tool {
        program: "openssl",
        package: "openssl",
    },
];

/// What tests of the examples need.
pub(crate) const SERVERS: [Tool; 2] = [
    Tool {
        program: "redis-server",
        package: "redis-server",
    },
    Tool {
        program: "nginx",
        package: "nginx",
    },
];

/// What tests of the browser module need.
pub(crate) const WEB: [Tool; 4] = [
    CHROMIUM,
    Tool {
        program: "firefox-esr",
        package: "firefox-esr",
    },
    Tool {
        program: "node",
        package: "nodejs",
    },
    Tool {
        program: "npm",
        package: "npm",
    },
];

/// What tests of several nodes need.
pub(crate) const CLUSTER: [Tool; 5] = [
    NATS_SERVER,
    REDIS,
    Tool {
        program: "cc",
        package: "gcc",
    },
    Tool {
        program: "haproxy",
        package: "haproxy",
    },
    Tool {
        program: "nginx",
        package: "nginx",
    },
];

/// What the tests behind proxies need.
pub(crate) const PROXIES: [Tool; 5] = [
    CURL,
    REDIS,
    Tool {
        program: "nginx",
        package: "nginx",
    },
    Tool {
        program: "haproxy",
        package: "haproxy",
    },
    Tool {
        program: "caddy",
        package: "caddy",
    },
];

/// What the tests of faults need, as root.
pub(crate) const FAULTS: [Tool; 3] = [
    Tool {
        program: "cc",
        package: "gcc",
    },
    Tool {
        program: "mount",
        package: "mount",
    },
    Tool {
        program: "setpriv",
        package: "util-linux",
    },
];

/// What the check of the files in `deploy/` needs, besides packages of Python.
pub(crate) const DEPLOY: [Tool; 2] = [
    Tool {
        program: "pip3",
        package: "python3-pip",
    },
    Tool {
        program: "systemd-analyze",
        package: "systemd",
    },
];

/// What the demo needs; nginx is welcome.
pub(crate) const DEMO: [Tool; 1] = [REDIS];

/// Makes sure that `tools` are there.
///
/// # Errors
///
/// Some are missing, and this is not root on a Debian.
pub(crate) fn need(tools: &[Tool]) -> anyhow::Result<()> {
    let missing = || tools.iter().filter(|tool| !is_found(tool.program));
    let packages: Vec<_> = missing().map(|tool| tool.package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !is_found("apt-get") {
        bail!(
            "tests need more programs; on Debian: `sudo apt-get install {}`",
            packages.join(" ")
        );
    }
    Command::new("apt-get").arguments(["update"]).run()?;
    Command::new("apt-get")
        .arguments(["install", "--yes", "--no-install-recommends"])
        .arguments(packages)
        .variable("DEBIAN_FRONTEND", "noninteractive")
        .run()?;
    let missing: Vec<_> = missing().map(|tool| tool.program).collect();
    if !missing.is_empty() {
        bail!("installed, but not on the path: {}", missing.join(", "));
    }
    Ok(())
}

/// Whether network namespaces can be made here: it takes root, and a container that allows it.
pub(crate) fn can_make_networks() -> bool {
    let name = format!("fanfare-probe-{}", std::process::id());
    let netns = |verb| {
        Command::new("ip")
            .arguments(["netns", verb, &name])
            .succeeds()
    };
    netns("add") && netns("delete")
}

/// Whether file systems can be mounted here: it takes root, and a container that allows it.
pub(crate) fn can_mount() -> anyhow::Result<bool> {
    let folder = env::temp_dir().join(format!("fanfare-probe-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let place = folder.to_string_lossy();
    let mount = ["-t", "tmpfs", "-o", "size=1m", "fanfare-probe", &*place];
    let can = Command::new("mount").arguments(mount).succeeds()
        && Command::new("umount").arguments([&*place]).succeeds();
    fs::remove_dir(&folder)?;
    Ok(can)
}

/// Whether `program` is on the path.
pub(crate) fn is_found(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
