//! What the operator asked of the API server in each phase, from the audit log.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use testbed::audit::{AuditLog, Request};

use crate::operator::Usage;

/// Kinds of calls that are told apart in words; the rest is in the JSON file.
const SHOWN: usize = 16;

/// The audit log as far as it was read: each request once.
pub(crate) struct Audit {
    log: AuditLog,
    /// How many bytes were read.
    end: u64,
    requests: Vec<Request>,
}

impl Audit {
    /// Nothing was read yet.
    pub(crate) const fn new(log: AuditLog) -> Self {
        Self { log, end: 0, requests: Vec::new() }
    }

    /// Reads on; all requests so far, in the order in which they were answered.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&mut self) -> Result<&[Request]> {
        let (more, end) = self.log.read_from(self.end)?;
        self.requests.extend(more);
        self.end = end;
        Ok(&self.requests)
    }

    /// All requests that were read.
    pub(crate) fn all(&self) -> &[Request] {
        &self.requests
    }
}

/// A phase of the benchmark: when it was, and what was used in it.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// Its name.
    pub(crate) name: &'static str,
    /// When it began.
    pub(crate) start: Timestamp,
    /// When it ended.
    pub(crate) end: Timestamp,
    /// How many resources it dealt with.
    pub(crate) resources: usize,
    /// Seconds of processor time of the operator.
    pub(crate) operator: f64,
    /// Seconds of processor time of the API server.
    pub(crate) api_server: f64,
}

/// A moment: the beginning of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// When it is.
    pub(crate) at: Timestamp,
    /// What the operator has used so far.
    pub(crate) operator: Usage,
    /// What the API server has used so far.
    pub(crate) api_server: Usage,
}

/// The operator's calls in a phase, by what they are good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Those that carry the phase, by verb and resource.
    pub(crate) work: BTreeMap<String, usize>,
    /// Those that would be made were nothing to do: leader election.
    pub(crate) leases: usize,
    /// Watches that began anew.
    pub(crate) watches: usize,
    /// How many of the first wrote something.
    pub(crate) writes: usize,
}

impl Calls {
    /// The calls of a user in a phase.
    pub(crate) fn of(requests: &[Request], user: &str, phase: &Phase) -> Self {
        let mut calls = Self::default();
        for request in requests.iter().filter(|request| request.user == user && request.within(phase.start, phase.end))
        {
            match (request.verb.as_str(), request.resource.as_str()) {
                (_, "leases") => calls.leases += 1,
                ("watch", _) => calls.watches += 1,
                (verb, resource) => {
                    *calls.work.entry(format!("{verb} {resource}")).or_default() += 1;
                    calls.writes += usize::from(request.is_write());
                }
            }
        }
        calls
    }

    /// Those calls of a user in a phase that are about the object `name`.
    pub(crate) fn about(requests: &[Request], user: &str, phase: &Phase, name: &str) -> Self {
        let is_record = |request: &Request| request.name == format!("sh.helm.release.v1.{name}.v1");
        let about = requests.iter().filter(|request| request.name == name || is_record(request));
        Self::of(&about.cloned().collect::<Vec<_>>(), user, phase)
    }

    /// How many carry the phase, events apart.
    pub(crate) fn without_events(&self) -> usize {
        self.work.iter().filter(|(call, _)| !call.ends_with(" events")).map(|(_, count)| count).sum()
    }

    /// How many carry the phase.
    pub(crate) fn total(&self) -> usize {
        self.work.values().sum()
    }

    /// In a few words: how many of what for each resource.
    pub(crate) fn words(&self, resources: usize) -> String {
        let mut sorted: Vec<_> = self.work.iter().collect();
        sorted.sort_by_key(|(what, count)| (std::cmp::Reverse(**count), (*what).clone()));
        let parts = sorted.iter().take(SHOWN).map(|(what, count)| format!("{what} {:.2}", per(**count, resources)));
        let mut parts: Vec<String> = parts.collect();
        if sorted.len() > SHOWN {
            let rest = sorted.iter().skip(SHOWN).map(|(_, count)| **count).sum();
            parts.push(format!("others {:.2}", per(rest, resources)));
        }
        if parts.is_empty() { "no calls".to_owned() } else { parts.join(", ") }
    }
}

impl Phase {
    /// For programs.
    pub(crate) fn json(&self, calls: &Calls) -> Json {
        json!({
            "name": self.name,
            "start": self.start.to_string(),
            "end": self.end.to_string(),
            "resources": self.resources,
            "operatorCpuSeconds": self.operator,
            "apiServerCpuSeconds": self.api_server,
            "calls": calls.work,
            "writes": calls.writes,
            "watches": calls.watches,
            "leases": calls.leases,
        })
    }

    /// Its length in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.end.duration_since(self.start).as_secs_f64()
    }
}

/// So many for each.
pub(crate) fn per(count: usize, of: usize) -> f64 {
    let float = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    float(count) / float(of.max(1))
}

#[cfg(test)]
mod tests {
    use testbed::audit::Request;

    use crate::bench::calls::{Calls, Phase};

    fn request(second: i64, user: &str, verb: &str, resource: &str) -> Request {
        let at = jiff::Timestamp::from_second(second).unwrap();
        let text = ToOwned::to_owned;
        Request {
            received: at,
            answered: at,
            user: text(user),
            agent: String::new(),
            verb: text(verb),
            resource: text(resource),
            group: String::new(),
            namespace: String::new(),
            name: String::new(),
            code: 200,
        }
    }

    #[test]
    fn calls_about_one_object_are_told_apart() {
        let phase = Phase {
            name: "p",
            start: jiff::Timestamp::from_second(10).unwrap(),
            end: jiff::Timestamp::from_second(20).unwrap(),
            resources: 1,
            operator: 0.0,
            api_server: 0.0,
        };
        let named = |name: &str| Request { name: name.to_owned(), ..request(11, "op", "patch", "webs") };
        let requests =
            [named("a"), named("b"), named("sh.helm.release.v1.a.v1"), request(12, "op", "create", "events")];
        assert_eq!(Calls::about(&requests, "op", &phase, "a").writes, 2);
        let all = Calls::of(&requests, "op", &phase);
        assert_eq!((all.total(), all.without_events()), (4, 3));
    }

    #[test]
    fn leases_and_watches_are_told_apart_and_others_are_left_out() {
        let phase = Phase {
            name: "p",
            start: jiff::Timestamp::from_second(10).unwrap(),
            end: jiff::Timestamp::from_second(20).unwrap(),
            resources: 2,
            operator: 0.0,
            api_server: 0.0,
        };
        let requests = [
            request(9, "op", "patch", "webs"),
            request(10, "op", "patch", "services"),
            request(11, "op", "patch", "services"),
            request(12, "op", "get", "services"),
            request(12, "op", "update", "leases"),
            request(13, "op", "watch", "services"),
            request(14, "admin", "patch", "webs"),
            request(20, "op", "patch", "webs"),
        ];
        let calls = Calls::of(&requests, "op", &phase);
        assert_eq!((calls.total(), calls.writes, calls.leases, calls.watches), (3, 2, 1, 1));
        assert_eq!(calls.words(2), "patch services 1.00, get services 0.50");
        assert!((phase.seconds() - 10.0).abs() < 1e-9);
    }
}
