//! Measures a [`Library`]: every operation from bytes to bytes, on one core, with
//! the result of each repetition checked before its time counts.

use crate::library::{CommitOptions, Error, ExternalJoin, Library, Proposal, Result};
use std::time::{Duration, Instant};

/// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519.
const SUITE: u16 = 1;

/// Repetitions of one operation: enough for a median, as far as the time lasts.
const MIN_REPS: usize = 3;
const MAX_REPS: usize = 200;

pub struct Options {
    pub sizes: Vec<usize>,
    /// Time for each operation of each size. A single repetition may take longer.
    pub budget: Duration,
    /// The largest group that is populated for the operations on a full tree, which
    /// takes time quadratic in its size.
    pub full_max: usize,
}

/// One measured operation.
pub struct Line {
    pub op: &'static str,
    pub n: usize,
    pub us_min: f64,
    pub us_median: f64,
    pub reps: usize,
    /// The size of the message that the operation made or read.
    pub bytes: usize,
}

/// Measures all operations and hands each to `out` as soon as it is done.
pub fn run<L: Library>(l: &mut L, o: &Options, mut out: impl FnMut(Line)) -> Result<()> {
    for &n in &o.sizes {
        if n < 2 {
            return Err(Error::Refused(format!("size {n}: want at least 2 members")));
        }
        let mut bench = Bench {
            l,
            n,
            budget: o.budget,
            out: &mut out,
        };
        bench.key_packages()?;
        let (creator, member) = bench.add_all()?;
        bench.commits(
            creator,
            member,
            "blank_commit_create",
            "blank_commit_process",
        )?;
        if n <= o.full_max {
            let (creator, member) = bench.populate()?;
            bench.commits(creator, member, "full_commit_create", "full_commit_process")?;
        }
    }
    Ok(())
}

struct Bench<'a, L: Library> {
    l: &'a mut L,
    n: usize,
    budget: Duration,
    out: &'a mut dyn FnMut(Line),
}

/// The times of one operation in microseconds.
struct Times {
    us: Vec<f64>,
    bytes: usize,
    end: Instant,
}

impl Times {
    fn new(budget: Duration) -> Self {
        Times {
            us: vec![],
            bytes: 0,
            end: Instant::now() + budget,
        }
    }

    /// Says whether to repeat once more: at least MIN_REPS times, unless the first
    /// alone took all the time.
    fn more(&self) -> bool {
        let in_time = Instant::now() < self.end;
        let wanted = if in_time { MAX_REPS } else { MIN_REPS };
        self.us.len() < wanted && (in_time || self.us.len() != 1)
    }

    fn add(&mut self, start: Instant, bytes: usize) {
        self.us.push(start.elapsed().as_secs_f64() * 1e6);
        self.bytes = bytes;
    }
}

impl<L: Library> Bench<'_, L> {
    fn report(&mut self, op: &'static str, mut times: Times) {
        times.us.sort_by(f64::total_cmp);
        (self.out)(Line {
            op,
            n: self.n,
            us_min: times.us[0],
            us_median: times.us[times.us.len() / 2],
            reps: times.us.len(),
            bytes: times.bytes,
        });
    }

    fn client(&mut self, i: usize) -> Result<L::Client> {
        self.l.client(SUITE, format!("member {i}").as_bytes())
    }

    fn creator(&mut self) -> Result<L::Group> {
        let client = self.client(0)?;
        self.l.create(client, b"bench", false)
    }

    fn agree(&self, a: &L::Group, b: &L::Group) -> Result<()> {
        let (a, b) = (
            self.l.epoch_authenticator(a)?,
            self.l.epoch_authenticator(b)?,
        );
        if a != b {
            return Err(Error::Refused("epoch authenticators differ".into()));
        }
        Ok(())
    }

    /// A KeyPackage for a signature key that exists already.
    fn key_packages(&mut self) -> Result<()> {
        let mut times = Times::new(self.budget);
        while times.more() {
            let mut client = self.client(1)?;
            let start = Instant::now();
            let made = self.l.key_package(&mut client)?;
            times.add(start, made.message.len());
        }
        self.report("key_package", times);
        Ok(())
    }

    /// One Commit by the creator that adds all others, without a path, and joins
    /// from its Welcome, which holds the tree. Returns the creator and the member of
    /// the last leaf.
    fn add_all(&mut self) -> Result<(L::Group, L::Group)> {
        let mut waiting = vec![];
        let mut key_packages = vec![];
        for i in 1..self.n {
            let mut client = self.client(i)?;
            key_packages.push(self.l.key_package(&mut client)?.message);
            waiting.push(client);
        }

        let mut times = Times::new(self.budget);
        let mut made = None;
        while times.more() {
            let mut creator = self.creator()?;
            let options = CommitOptions {
                by_value: key_packages.iter().cloned().map(Proposal::Add).collect(),
                ..Default::default()
            };
            let start = Instant::now();
            let commit = self.l.commit(&mut creator, options)?;
            times.add(start, commit.commit.len());
            made = Some((creator, commit.welcome));
        }
        let (mut creator, welcome) =
            made.ok_or_else(|| Error::Refused("no time to add members".into()))?;
        self.report("add_all", times);
        self.l.apply_pending(&mut creator)?;
        self.l.flush(&mut creator)?;

        // The last leaf joins first, so that it is there whatever the time is.
        let mut times = Times::new(self.budget);
        let mut last = None;
        while let Some(client) = waiting.pop() {
            let start = Instant::now();
            let member = self.l.join(client, &welcome, &[], false)?;
            times.add(start, welcome.len());
            self.agree(&creator, &member)?;
            last.get_or_insert(member);
            if !times.more() {
                break;
            }
        }
        self.report("join", times);
        let last = last.ok_or_else(|| Error::Refused("nobody joined".into()))?;
        Ok((creator, last))
    }

    /// Populates every parent node: each member joins by an external Commit, whose
    /// path covers all nodes above its leaf, and nobody is ever added without one.
    /// Returns the creator and the member of the last leaf.
    fn populate(&mut self) -> Result<(L::Group, L::Group)> {
        let mut creator = self.creator()?;
        let mut last = None;
        for i in 1..self.n {
            let (info, _) = self.l.group_info(&creator, false)?;
            let (member, commit) = self.l.external_join(ExternalJoin {
                group_info: &info,
                tree: &[],
                identity: format!("member {i}").as_bytes(),
                private: false,
                remove_prior: false,
                psks: vec![],
            })?;
            self.l.process_commit(&mut creator, &[], &commit)?;
            self.l.flush(&mut creator)?;
            last = Some(member);
        }
        let last = last.ok_or_else(|| Error::Refused("nobody joined".into()))?;
        self.agree(&creator, &last)?;

        // In a full tree a path encrypts to one node a level; in any other to more.
        let commit = self.empty_commit(&mut creator)?;
        let levels = self.n.next_power_of_two().ilog2() as usize;
        if commit.len() > 1000 + 130 * levels {
            let len = commit.len();
            return Err(Error::Refused(format!(
                "a Commit of {len} bytes: the tree is not full"
            )));
        }
        self.l.apply_pending(&mut creator)?;
        let mut last = last;
        self.l.process_commit(&mut last, &[], &commit)?;
        Ok((creator, last))
    }

    fn empty_commit(&mut self, group: &mut L::Group) -> Result<Vec<u8>> {
        let options = CommitOptions {
            force_path: true,
            ..Default::default()
        };
        Ok(self.l.commit(group, options)?.commit)
    }

    /// Empty Commits with a path, from the first leaf to the last, and then
    /// application messages the same way. A Commit leaves the copath of its sender
    /// as it was, so each repetition finds the same work. The sender's own step into
    /// the new epoch is not in the times.
    fn commits(
        &mut self,
        mut from: L::Group,
        mut to: L::Group,
        create: &'static str,
        process: &'static str,
    ) -> Result<()> {
        let (mut created, mut processed) = (Times::new(self.budget), Times::new(self.budget));
        while created.more() {
            let start = Instant::now();
            let commit = self.empty_commit(&mut from)?;
            created.add(start, commit.len());

            let start = Instant::now();
            self.l.process_commit(&mut to, &[], &commit)?;
            processed.add(start, commit.len());

            self.l.apply_pending(&mut from)?;
            self.agree(&from, &to)?;
            self.l.flush(&mut from)?;
            self.l.flush(&mut to)?;
        }
        self.report(create, created);
        self.report(process, processed);
        if create == "blank_commit_create" {
            self.messages(from, to)?;
        }
        Ok(())
    }

    fn messages(&mut self, mut from: L::Group, mut to: L::Group) -> Result<()> {
        let data = [0x5a; 1024];
        let (mut sealed, mut opened) = (Times::new(self.budget), Times::new(self.budget));
        while sealed.more() {
            let start = Instant::now();
            let message = self.l.protect(&mut from, &[], &data)?;
            sealed.add(start, message.len());

            let start = Instant::now();
            let (_, got) = self.l.unprotect(&mut to, &message)?;
            opened.add(start, message.len());
            if got != data {
                return Err(Error::Refused("a message came out changed".into()));
            }
        }
        self.report("protect", sealed);
        self.report("unprotect", opened);
        Ok(())
    }
}
