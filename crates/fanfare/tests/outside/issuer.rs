//! An issuer whose keys come over TLS, by openssl.

use std::path::PathBuf;
use std::{env, fs, process};

use crate::program::{Program, fanfare, fanfare_with};

/// A folder of its own, with an authority, an issuer's certificate, and its JWK Set.
struct Issuer {
    folder: PathBuf,
    /// Serves them until it is dropped.
    _program: Program,
    /// Where its keys are.
    url: String,
}

impl Issuer {
    fn start() -> Self {
        let folder = env::temp_dir().join(format!("fanfare-issuer-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let made = Program::paste(&format!("cd '{}' && {MAKE}", folder.display())).wait();
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let folder_text = folder.display();
        let serve = "exec openssl s_server -accept 127.0.0.1:0 -cert cert.pem -key cert.key -HTTP";
        let program = Program::paste(&format!("cd '{folder_text}' && {serve}"));
        let line = program.line_that(|line| line.starts_with("ACCEPT"));
        let (_, port) = line.rsplit_once(':').unwrap();
        Self {
            url: format!("https://localhost:{port}/keys"),
            _program: program,
            folder,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// `s_server -HTTP` sends a file as it is, so it holds a whole answer.
const MAKE: &str = r#"set -e
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $new -keyout authority.key -out authority.pem -subj '/CN=authority' -days 2
openssl req $new -keyout cert.key -out cert.csr -subj '/CN=localhost'
echo 'subjectAltName=DNS:localhost' > names
openssl x509 -req -in cert.csr -CA authority.pem -CAkey authority.key -out cert.pem -days 2 -extfile names
openssl genpkey -algorithm ed25519 -out signing.pem
x=$(openssl pkey -in signing.pem -pubout -outform DER | tail -c 32 | base64 | tr '+/' '-_' | tr -d '=')
printf 'HTTP/1.0 200 OK\r\n\r\n{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"%s"}]}' "$x" > keys
"#;

/// Keys are believed of whom the system's authorities vouch for, and of nobody else (S5).
#[test]
fn s5_keys_come_over_tls_from_whom_the_system_trusts() {
    let issuer = Issuer::start();
    let signing = fs::read_to_string(issuer.file("signing.pem")).unwrap();
    let mint = [
        "token",
        "--alg",
        "EdDSA",
        "--key",
        &signing,
        "--publish",
        "*",
    ];
    let token = fanfare(&mint).stdout;
    let keys = ["--publisher-jwks-url", &issuer.url, "--anonymous"];
    let serve = [&["serve", "--listen", "127.0.0.1:0"][..], &keys].concat();
    let publish = |trusted: &str| {
        let variables = [("SSL_CERT_FILE", issuer.file(trusted))];
        let variables = variables
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let hub = Program::start_with(&variables, &serve);
        let url = hub.line_that(|line| line.contains("http://"));
        let (_, url) = url.rsplit_once(' ').unwrap();
        let publish = ["publish", "t", "d", "--url", url, "--token", token.trim()];
        fanfare_with(&[], &publish)
    };
    let published = publish("authority.pem");
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    // Its own certificate is no authority.
    let refused = publish("cert.pem");
    assert!(refused.stderr.contains("401"), "{refused:?}");
}
