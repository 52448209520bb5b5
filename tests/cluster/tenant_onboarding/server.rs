//! A real server of NATS with the configuration that the chart of accounts makes.

use base64::Engine as _;
use serde_json::{Value as Json, json};
use testbed::build::build;
use testbed::guard::{Folder, Guarded, Program};
use testbed::port::Port;
use testbed::program;
use testbed::progress::{Progress, Stream};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{Namespace, Operator, Project, eventually};

#[tokio::test]
async fn a_server_with_the_configuration_of_an_account_lets_its_user_in_and_nobody_else() {
    let namespace = Namespace::create("nats-server").await;
    let _operator = Operator::start(&Project::watching(&["NatsExample"]), &namespace).await;
    namespace.create_resource("NatsExample", "shop", json!({})).await;
    let secret = eventually("the account", || namespace.find("Secret", "shop-account")).await;
    let [user, password, configuration] = ["user", "password", "nats.conf"].map(|key| text(&secret, key));

    let nats = [program::Program::NatsServer];
    let built = tokio::task::spawn_blocking(move || build(&nats, &Progress::to(Stream::Error)));
    let file = built.await.unwrap().unwrap().remove(0);
    let folder = Folder::new("chart-operator-nats-").unwrap();
    let config = folder.path().join("nats.conf");
    std::fs::write(&config, configuration).unwrap();
    let port = Port::reserve().unwrap();
    let number = port.number().to_string();
    let arguments = ["--addr", "127.0.0.1", "--port", &number, "--config", config.to_str().unwrap()];
    let program = Program { name: "nats-server", file: &file, folder: folder.path(), directory: None };
    let _server = Guarded::start(&program, &arguments, &[]).unwrap();

    assert_eq!(greet(&port, &json!({"verbose": false, "user": user, "pass": password})).await, "PONG");
    let refused = "-ERR 'Authorization Violation'";
    assert_eq!(greet(&port, &json!({"user": user, "pass": "guessed"})).await, refused);
    assert_eq!(greet(&port, &json!({})).await, refused);
}

fn text(secret: &Json, key: &str) -> String {
    let data = base64::prelude::BASE64_STANDARD.decode(secret["data"][key].as_str().unwrap());
    String::from_utf8(data.unwrap()).unwrap()
}

/// What the server says to a client that introduces itself so.
async fn greet(port: &Port, who: &Json) -> String {
    let connected = || async { TcpStream::connect(("127.0.0.1", port.number())).await.ok() };
    let mut lines = BufReader::new(eventually("the server listens", connected).await);
    let mut line = String::new();
    lines.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("INFO "), "{line}");
    lines.get_mut().write_all(format!("CONNECT {who}\r\nPING\r\n").as_bytes()).await.unwrap();
    line.clear();
    lines.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}
