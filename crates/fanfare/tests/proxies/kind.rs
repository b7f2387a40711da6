//! The three proxies: their programs, and how their configurations are written.

use std::fs;
use std::path::Path;

use crate::certificate::Certificate;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

impl Kind {
    /// The configuration as people have it, who have read nothing: from `listen` to the hubs, in
    /// clear. `lines` stand where the proxy is told about the hub.
    pub(crate) fn default_configuration(self, listen: u16, hub: &str, lines: &str) -> String {
        match self {
            Self::Nginx => format!(
                "server {{
                     listen 127.0.0.1:{listen};
                     location / {{
                         proxy_pass http://{hub};
                         {lines}
                     }}
                 }}"
            ),
            // Time-outs as in Debian's own file.
            Self::Haproxy => format!(
                "defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
frontend outside
    bind 127.0.0.1:{listen}
    default_backend inside
backend inside
    server hub {hub}
{lines}
"
            ),
            Self::Caddy => format!(
                "http://127.0.0.1:{listen} {{
                     reverse_proxy {hub} {{
                         {lines}
                     }}
                 }}"
            ),
        }
    }

    /// The file in `docs/deploy`, with this machine's addresses in place of those it shows.
    pub(crate) fn recommended(
        self,
        listen: u16,
        hubs: [&str; 2],
        certificate: &Certificate,
    ) -> String {
        let port = format!("127.0.0.1:{listen}");
        let path = |path: &Path| path.display().to_string();
        let (chain, key) = (path(&certificate.chain), path(&certificate.key));
        let (file, places) = match self {
            Self::Nginx => (
                "nginx.conf",
                [
                    ("listen 443", format!("listen {port}")),
                    (
                        "server_name hub.example.com",
                        "server_name localhost".to_owned(),
                    ),
                    ("/etc/ssl/hub.example.com/fullchain.pem", chain),
                    ("/etc/ssl/hub.example.com/privkey.pem", key),
                ]
                .to_vec(),
            ),
            Self::Haproxy => (
                "haproxy.cfg",
                [
                    ("bind :443", format!("bind {port}")),
                    ("/etc/haproxy/hub.example.com.pem", path(&certificate.both)),
                    ("maxconn 20000", "maxconn 200".to_owned()),
                ]
                .to_vec(),
            ),
            Self::Caddy => (
                "Caddyfile",
                [(
                    "hub.example.com {",
                    format!("https://localhost:{listen} {{\n\ttls {chain} {key}"),
                )]
                .to_vec(),
            ),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploy");
        let mut text = fs::read_to_string(folder.join(file)).unwrap();
        let hubs = ["10.0.0.1:3000", "10.0.0.2:3000"].into_iter().zip(hubs);
        let hubs = hubs.map(|(shown, here)| (shown, here.to_owned()));
        for (shown, here) in hubs.chain(places) {
            text = replaced(&text, shown, &here);
        }
        text
    }
}

/// `text` with `here` in place of `shown`, which is there once.
pub(crate) fn replaced(text: &str, shown: &str, here: &str) -> String {
    assert_eq!(text.matches(shown).count(), 1, "{shown} in {text}");
    text.replace(shown, here)
}
