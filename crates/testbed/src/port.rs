//! Free ports on loopback, reserved between processes.
//!
//! The ports are taken from a range below those that systems use for outgoing connections and Kubernetes for `NodePorts`, so
//! that nobody is given one by chance between our look and the program's `bind`. Several testbeds at once keep out of each
//! other's way by a locked file per port, held as long as the [`Port`].

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 9_000;

/// A port that is ours until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked; the lock ends with the process, however that ends.
    _reservation: File,
}

impl Port {
    /// Reserves a free one.
    ///
    /// # Errors
    /// None of the range is free, or the folder for temporary files cannot be written.
    pub fn reserve() -> Result<Self> {
        let folder = std::env::temp_dir().join("chart-operator-ports");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        // Another place to start for each process: else all of them would try the same ports in a row.
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
        for step in 0..COUNT {
            let number = FIRST + (start + step) % COUNT;
            if let Some(reservation) = lock(&folder.join(number.to_string()))?
                && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
            {
                return Ok(Self { number, _reservation: reservation });
            }
        }
        bail!("no free port on loopback from {FIRST} on")
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }
}

/// The locked file, nothing where another process (or this one) has it.
fn lock(path: &Path) -> Result<Option<File>> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let file = match opened {
        Ok(file) => file,
        // Another user's: his port.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    Ok(file.try_lock().is_ok().then_some(file))
}

#[cfg(test)]
mod tests {
    use crate::port::Port;

    #[test]
    fn reserved_ports_differ_and_are_given_back() {
        let first = Port::reserve().unwrap();
        let second = Port::reserve().unwrap();
        assert_ne!(first.number(), second.number());
        let number = first.number();
        drop(first);
        let again: Vec<_> = (0..3).map(|_| Port::reserve().unwrap()).collect();
        assert!(again.iter().any(|port| port.number() == number));
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_given() {
        let port = Port::reserve().unwrap();
        let number = port.number();
        let listener = std::net::TcpListener::bind(("127.0.0.1", number)).unwrap();
        drop(port);
        assert_ne!(Port::reserve().unwrap().number(), number);
        drop(listener);
    }
}
