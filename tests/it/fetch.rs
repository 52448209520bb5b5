//! Charts from repositories and registries of this machine, good ones and bad ones.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};

use crate::scaffold::{CHART, done, files, place, refused};

/// What a server says.
#[derive(Clone, Default)]
struct Answer {
    code: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn of(body: impl Into<Vec<u8>>) -> Self {
        Self { code: 200, headers: Vec::new(), body: body.into() }
    }

    fn code(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What was asked: the path with its query, and `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    path: String,
    token: Option<String>,
}

/// A web server on the loopback.
struct Server {
    address: String,
    pages: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Without this token, `/v2/` answers a challenge.
    token: Arc<Mutex<Option<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            pages: Arc::default(),
            asked: Arc::default(),
            token: Arc::default(),
        };
        let (pages, asked, token) = (Arc::clone(&server.pages), Arc::clone(&server.asked), Arc::clone(&server.token));
        let address = server.address.clone();
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read(&stream) else { continue };
                let wanted = token.lock().unwrap().clone();
                let is_let_in = wanted.is_none() || request.token.as_ref() == wanted.as_ref();
                let answer = if request.path.starts_with("/v2/") && !is_let_in {
                    let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"a b\",scope=\"x\"");
                    Answer::code(401).with("WWW-Authenticate", challenge)
                } else {
                    pages.lock().unwrap().get(&request.path).cloned().unwrap_or_else(|| Answer::code(404))
                };
                asked.lock().unwrap().push(request);
                write(&stream, &answer);
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn serve(&self, path: &str, answer: Answer) {
        self.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Serves a registry's chart `shop/floor` under this tag; gives the digest of its manifest.
    fn push(&self, tag: &str, archive: &[u8]) -> String {
        let layer = digest(archive);
        let manifest = format!(
            "{{\"schemaVersion\":2,\"layers\":[{{\"mediaType\":\"text/x\",\"digest\":\"sha256:00\"}},{{\"mediaType\":\
             \"application/vnd.cncf.helm.chart.content.v1.tar+gzip\",\"digest\":\"{layer}\",\"size\":1}}]}}"
        );
        let of_manifest = digest(manifest.as_bytes());
        self.serve(&format!("/v2/shop/floor/blobs/{layer}"), Answer::of(archive));
        for name in [tag, &of_manifest] {
            self.serve(&format!("/v2/shop/floor/manifests/{name}"), Answer::of(manifest.clone()));
        }
        of_manifest
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.path.clone()).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut token = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_lowercase().strip_prefix("authorization: ") {
            token = Some(value.to_owned());
        }
    }
    Some(Asked { path, token })
}

fn write(mut stream: &TcpStream, answer: &Answer) {
    let mut head =
        format!("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {}\r\n", answer.code, answer.body.len());
    head.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
    // Whoever has had enough hangs up.
    let _hung_up = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&answer.body));
}

fn digest(bytes: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

/// The chart, packed under that version.
fn packed(version: &str) -> Vec<u8> {
    let files =
        CHART.iter().map(|(name, text)| (*name, text.replace("version: 1.2.3", &format!("version: {version}"))));
    archive(files)
}

fn archive<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("x/{name}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn version_of(folder: &testbed::guard::Folder) -> String {
    let text = files(&folder.path().join("project"))["helm-charts/shop-floor/Chart.yaml"].clone();
    text.lines().find_map(|line| line.strip_prefix("version: ")).unwrap().to_owned()
}

/// A repository with four versions.
fn repository() -> Server {
    let server = Server::start();
    let mut index = "apiVersion: v1\nentries:\n  shop-floor:\n".to_owned();
    for version in ["1.2.3", "2.0.0-rc.1", "1.10.0", "0.9.0"] {
        let archive = packed(version);
        // Indexes name no algorithm.
        let hex = digest(&archive).replace("sha256:", "");
        let urls = format!("[shop-floor-{version}.tgz]");
        index.extend([format!("  - version: {version}\n    digest: {hex}\n    urls: {urls}\n")]);
        server.serve(&format!("/charts/shop-floor-{version}.tgz"), Answer::of(archive));
    }
    server.serve("/charts/index.yaml", Answer::of(index));
    server
}

#[test]
fn a_chart_comes_from_a_repository_in_the_best_version() {
    let server = repository();
    let repo = format!("--helm-chart-repo={}", server.url("/charts/"));
    for (version, want) in
        [(None, "1.10.0"), (Some("1.2.3"), "1.2.3"), (Some("~1.2"), "1.2.3"), (Some(">1.0.0-0"), "2.0.0-rc.1")]
    {
        let folder = place();
        let version = version.map(|version| format!("--helm-chart-version={version}"));
        let args: Vec<&str> =
            ["init", "--helm-chart=shop-floor", &repo].into_iter().chain(version.as_deref()).collect();
        done(&folder, &args);
        assert_eq!(version_of(&folder), want);
    }
}

#[test]
fn a_chart_comes_from_the_address_of_its_archive_also_where_that_leads_on() {
    let server = Server::start();
    server.serve("/shop.tgz", Answer::of(packed("1.0.0")));
    server.serve("/old/shop.tgz?x=1", Answer::code(302).with("Location", "../shop.tgz").with("X", "y"));
    server.serve("/old/../shop.tgz", Answer::code(301).with("Location", server.url("/shop.tgz")));
    let folder = place();
    done(&folder, &["init", &format!("--helm-chart={}", server.url("/old/shop.tgz?x=1"))]);
    assert_eq!(version_of(&folder), "1.0.0");
}

#[test]
fn what_a_repository_does_wrong_is_told_and_nothing_is_written() {
    let server = repository();
    for (path, answer) in [
        ("/none/index.yaml", Answer::of("<html>")),
        ("/empty/index.yaml", Answer::of("apiVersion: v1\n")),
        ("/yaml/index.yaml", Answer::of("a: [\n")),
        ("/bytes/index.yaml", Answer::of(&b"\xff"[..])),
        ("/large/index.yaml", Answer::of(vec![b'#'; (64 << 20) + 1])),
        ("/private/index.yaml", Answer::code(401).with("WWW-Authenticate", "Basic realm=\"x\"")),
        ("/broken/index.yaml", Answer::code(500)),
        ("/loop/index.yaml", Answer::code(302).with("Location", "/loop/index.yaml")),
        ("/file/index.yaml", Answer::code(302).with("Location", "file:///etc/passwd")),
        ("/urls/index.yaml", Answer::of("entries: {shop-floor: [{version: 1.0.0}]}\n")),
        (
            "/lies/index.yaml",
            Answer::of(
                "entries: {shop-floor: [{version: 1.0.0, digest: sha256:00, urls: [/charts/shop-floor-1.2.3.tgz]}]}\n",
            ),
        ),
        (
            "/gone/index.yaml",
            Answer::of("entries: {shop-floor: [{version: 1.0.0, urls: ['gone.tgz?token=hidden']}]}\n"),
        ),
        ("/text/index.yaml", Answer::of("entries: {shop-floor: [{version: 1.0.0, urls: [index.yaml]}]}\n")),
    ] {
        server.serve(path, answer);
    }
    let folder = place();
    for (place, more, want) in [
        ("/nowhere", &[][..], "/nowhere/index.yaml` answers 404 Not Found"),
        (
            "/charts",
            &["--helm-chart-version=9"],
            "no version of `shop-floor` is `9`: there are 2.0.0-rc.1, 1.10.0, 1.2.3, 0.9.0",
        ),
        ("/charts", &["--helm-chart-version=new"], "`new` is no version and no constraint on versions"),
        ("/none", &[], "is no index: it has no `entries`"),
        ("/empty", &[], "is no index: it has no `entries`"),
        ("/yaml", &[], "is no index: error converting YAML to JSON"),
        ("/bytes", &[], "is no index: invalid utf-8"),
        ("/large", &[], "answers with more than 67108864 bytes"),
        ("/private", &[], "answers 401 Unauthorized: it wants credentials; `helm pull`"),
        ("/broken", &[], "answers 500 Internal Server Error"),
        ("/loop", &[], "leads to other addresses without end"),
        ("/file", &[], "`file:///etc/passwd` is no URL of a chart"),
        ("/urls", &[], "is without a URL for `shop-floor` 1.0.0"),
        ("/lies", &[], "`, expected `sha256:00`"),
        ("/gone", &[], "/gone/gone.tgz` answers 404 Not Found"),
        ("/text", &[], "does not appear to be a gzipped archive"),
    ] {
        let repo = format!("--helm-chart-repo={}", server.url(place));
        let told = refused(&folder, &[&["init", "--helm-chart=shop-floor", &repo], more].concat());
        assert!(told.contains(want) && !told.contains("hidden"), "{place}: {told}");
    }
    assert_eq!(files(&folder.path().join("project")).len(), 0);
}

#[test]
fn who_is_not_there_and_what_is_no_address_is_told() {
    let (server, folder) = (repository(), place());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let repo = format!("--helm-chart-repo={}", server.url("/charts"));
    let told = refused(&folder, &["init", "--helm-chart=shop", &repo]);
    assert!(told.contains("`shop` is not in `http://127.0.0.1:"), "{told}");
    let told = refused(&folder, &["init", &format!("--helm-chart=http://{closed}/a.tgz")]);
    assert!(told.contains("cannot ask") && told.contains("onnection refused"), "{told}");
    let told = refused(&folder, &["init", "--helm-chart=https://jane:pw@example.com/a.tgz"]);
    assert!(
        told.contains("`https://example.com/a.tgz` is no URL of a chart") && !told.contains("caused by: pw"),
        "{told}"
    );
    assert_eq!(files(&folder.path().join("project")).len(), 0);
}

#[test]
fn a_chart_comes_from_a_registry_with_a_token_that_nobody_else_sees() {
    let (server, elsewhere) = (Server::start(), Server::start());
    *server.token.lock().unwrap() = Some("bearer t".to_owned());
    server.serve("/token?service=a%20b&scope=repository:shop/floor:pull", Answer::of("{\"token\": \"T\"}"));
    let archive = packed("1.2.3+a");
    let of_manifest = server.push("1.2.3_a", &archive);
    server.push("1.3.0-rc.1", &packed("1.3.0-rc.1"));
    server.serve("/v2/shop/floor/tags/list", Answer::of("{\"tags\": [\"1.2.3_a\", \"1.3.0-rc.1\", \"latest\"]}"));
    let blob = format!("/v2/shop/floor/blobs/{}", digest(&archive));
    elsewhere.serve("/store?signature=s", Answer::of(archive));
    server.serve(&blob, Answer::code(307).with("Location", elsewhere.url("/store?signature=s")));
    let reference = format!("--helm-chart=oci://{}/shop/floor", server.address);
    for (suffix, version) in [
        (String::new(), None),
        (String::new(), Some("--helm-chart-version=1.2.3+a")),
        (String::new(), Some("--helm-chart-version=^1")),
        (":1.2.3_a".to_owned(), None),
        (format!("@{of_manifest}"), None),
    ] {
        let folder = place();
        let reference = format!("{reference}{suffix}");
        let args: Vec<&str> = ["init", "--plain-http", &reference].into_iter().chain(version).collect();
        done(&folder, &args);
        assert_eq!(version_of(&folder), "1.2.3+a");
    }
    let folder = place();
    let repo = format!("--helm-chart-repo=oci://{}/shop", server.address);
    done(&folder, &["init", "--plain-http", "--helm-chart=floor", &repo, "--helm-chart-version=1.3.0-rc.1"]);
    assert_eq!(version_of(&folder), "1.3.0-rc.1");
    assert!(elsewhere.asked.lock().unwrap().iter().all(|asked| asked.token.is_none()));
    assert!(server.asked().iter().any(|path| path.starts_with("/token")));
}

#[test]
fn what_a_registry_does_wrong_is_told_and_nothing_is_written() {
    let server = Server::start();
    server.push("1.0.0", &packed("1.0.0"));
    let other = server.push("2.0.0", &packed("2.0.0"));
    let of_text = format!("/v2/shop/floor/blobs/{}", digest(&packed("2.0.0")));
    server.serve(&of_text, Answer::of("other bytes"));
    server.serve(
        "/v2/shop/image/manifests/1",
        Answer::of("{\"layers\": [{\"mediaType\": \"x\", \"digest\": \"sha256:0\"}]}"),
    );
    server.serve("/v2/shop/html/manifests/1", Answer::of("<html>"));
    server.serve("/v2/shop/large/manifests/1", Answer::of(vec![b' '; (4 << 20) + 1]));
    server.serve("/v2/shop/none/tags/list", Answer::of("{\"tags\": null}"));
    server.serve("/v2/shop/private/manifests/1", Answer::code(401).with("WWW-Authenticate", "Basic realm=\"x\""));
    let bare = "Bearer realm=\"/token\"";
    server.serve("/v2/shop/bare/manifests/1", Answer::code(401).with("WWW-Authenticate", bare));
    server.serve("/v2/shop/lies/manifests/sha256:00", Answer::of("{}"));
    let folder = place();
    for (reference, want) in [
        ("shop/floor:9.9.9", "`shop/floor` is not in `http://127.0.0.1:"),
        ("shop/floor:2.0.0", "the digest of `http://127.0.0.1:"),
        ("shop/image:1", "is not the manifest of a chart"),
        ("shop/html:1", "is not JSON: "),
        ("shop/large:1", "answers with more than 4194304 bytes"),
        ("shop/none", "`shop/none` is not in `http://127.0.0.1:"),
        ("shop/private:1", "answers 401 Unauthorized: it wants credentials"),
        ("shop/bare:1", "is no URL of a chart"),
        ("shop/lies@sha256:00", "expected `sha256:00`"),
        ("shop/floor@md5:00", "is no URL of a chart"),
        ("", "is no URL of a chart"),
    ] {
        let reference = format!("--helm-chart=oci://{}/{reference}", server.address);
        let told = refused(&folder, &["init", "--plain-http", &reference]);
        assert!(told.contains(want), "{reference}: {told}");
    }
    let reference = format!("--helm-chart=oci://{}/shop/floor@{other}", server.address);
    let told = refused(&folder, &["init", &reference]);
    assert!(told.contains("cannot ask `https://127.0.0.1:"), "{told}");
    assert_eq!(files(&folder.path().join("project")).len(), 0);
}

#[test]
fn sub_charts_that_a_chart_names_and_does_not_bring_are_fetched() {
    let server = repository();
    let folder = place();
    let metadata = format!(
        "apiVersion: v2\nname: mall\nversion: 1.0.0\ndependencies:\n- {{name: shop-floor, version: ~1.2, repository: \"{}\"}}\n",
        server.url("/charts")
    );
    crate::scaffold::write(&folder.path().join("mall"), &[("Chart.yaml", &metadata)]);
    done(&folder, &["init", "--helm-chart=../mall"]);
    let packed = folder.path().join("project/helm-charts/mall/charts/shop-floor-1.2.3.tgz");
    assert!(packed.exists());
    let rendered = done(&folder, &["template", "x", "helm-charts/mall"]);
    assert!(rendered.contains("# Source: mall/charts/shop-floor/templates/floor.yaml"), "{rendered}");
}
