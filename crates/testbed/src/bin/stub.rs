//! A server that answers every HTTP request with 200: what runs in the place of the programs that samples name, so that
//! their Pods start, are probed and end as those would.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Those of minimart, nginx, web servers without rights, and memcached.
const PORTS: [u16; 4] = [8002, 80, 8080, 11211];
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if serve().await.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Serves until it is told to stop. Ports that a user without rights cannot have are left out.
async fn serve() -> Result<()> {
    let mut told = signal(SignalKind::terminate())?;
    let mut open = 0;
    for port in PORTS {
        if let Ok(listener) = TcpListener::bind(("0.0.0.0", port)).await {
            tokio::spawn(listen(listener));
            open += 1;
        }
    }
    (open > 0).then_some(()).context("no port is free")?;
    told.recv().await;
    Ok(())
}

async fn listen(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream));
    }
}

/// Whoever closes too early gets no answer.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        stream.write_all(ANSWER).await.ok();
    }
}
