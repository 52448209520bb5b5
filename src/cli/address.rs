//! Addresses to listen on, as Go's `net.Listen` takes them: `:8080`, `127.0.0.1:0`, `[::1]:80`, `localhost:80`.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It is not a host and a port.
    #[error("expected `host:port`, `:port`, or `0` for none")]
    Syntax,
    /// The port is no number up to 65535.
    #[error("expected a port from 0 to 65535, found `{0}`")]
    Port(String),
    /// The name of the host leads nowhere.
    #[error("cannot find host `{host}`")]
    Host {
        /// The name.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The name of the host is known and has no address.
    #[error("host `{0}` has no address")]
    NoAddress(String),
}

/// The address; `[::]` stands for every address of the machine, IPv4 included, as no host does in Go.
pub(super) fn parse(text: &str) -> Result<SocketAddr, Error> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or(Error::Syntax)?;
    // `::1` without brackets would be cut in the middle.
    if host.contains(':') {
        return Err(Error::Syntax);
    }
    let port = match port {
        "" => 0,
        port => port.parse::<u16>().map_err(|_not_a_port| Error::Port(port.to_owned()))?,
    };
    if host.is_empty() {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    let found = (host, port).to_socket_addrs().map_err(|source| Error::Host { host: host.to_owned(), source })?;
    // Go prefers an IPv4 address where a name has several.
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| Error::NoAddress(host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        let table = [
            (":8080", "[::]:8080"),
            (":0", "[::]:0"),
            (":", "[::]:0"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("0.0.0.0:8443", "0.0.0.0:8443"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:81", "127.0.0.1:81"),
        ];
        for (text, want) in table {
            assert_eq!(parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        let table = [
            ("8080", "expected `host:port`, `:port`, or `0` for none"),
            ("", "expected `host:port`, `:port`, or `0` for none"),
            ("::1", "expected `host:port`, `:port`, or `0` for none"),
            ("localhost", "expected `host:port`, `:port`, or `0` for none"),
            (":65536", "expected a port from 0 to 65535, found `65536`"),
            (":http", "expected a port from 0 to 65535, found `http`"),
            (":-1", "expected a port from 0 to 65535, found `-1`"),
        ];
        for (text, want) in table {
            assert_eq!(parse(text).unwrap_err().to_string(), want, "{text}");
        }
    }
}
