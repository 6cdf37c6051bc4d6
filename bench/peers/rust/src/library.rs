//! What both services ask of an MLS library, in bytes as they are on the wire.
//!
//! A [`Library`] holds no group: its clients and groups are values of the caller.
//! Names are those of RFC 9420.

use std::fmt;

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// The library has no way to do it; the README's table says the same.
    Unsupported(&'static str),
    /// The library refused, in its own words.
    Refused(String),
    /// The caller named something that is not there.
    NotFound(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unsupported(what) => write!(f, "unsupported: {what}"),
            Error::Refused(why) => write!(f, "refused: {why}"),
            Error::NotFound(what) => write!(f, "not found: {what}"),
        }
    }
}

impl std::error::Error for Error {}

/// Makes an error of what a library returned, whose types are many. The debug form
/// is the one that holds the cause of the cause.
pub fn refused<E: fmt::Debug>(doing: &str) -> impl FnOnce(E) -> Error {
    let doing = doing.to_string();
    move |e| Error::Refused(format!("{doing}: {e:?}"))
}

/// A KeyPackage as an MLSMessage, and its private keys as the suite writes them or
/// empty if the library does not show them.
pub struct KeyPackage {
    pub message: Vec<u8>,
    pub init: Vec<u8>,
    pub encryption: Vec<u8>,
    pub signature: Vec<u8>,
}

/// A GroupContext extension.
pub struct Extension {
    pub typ: u16,
    pub data: Vec<u8>,
}

/// A proposal to be made, by value or by reference.
pub enum Proposal {
    /// A KeyPackage as an MLSMessage.
    Add(Vec<u8>),
    Update,
    /// The identity in the credential of the member to remove.
    Remove(Vec<u8>),
    ExternalPsk(Vec<u8>),
    /// An epoch of the same group.
    ResumptionPsk(u64),
    GroupContextExtensions(Vec<Extension>),
    /// The extensions that are, and an ExternalSender after those they name.
    AddExternalSender(Vec<u8>),
    ReInit {
        group_id: Vec<u8>,
        suite: u16,
        extensions: Vec<Extension>,
    },
}

/// What a Commit is to hold.
#[derive(Default)]
pub struct CommitOptions {
    /// Proposals as MLSMessages, the committer's own among them.
    pub by_reference: Vec<Vec<u8>>,
    pub by_value: Vec<Proposal>,
    pub force_path: bool,
    /// Whether the tree is to travel beside the Welcome.
    pub external_tree: bool,
}

/// A Commit that is pending and what goes with it. Empty is absent.
pub struct Commit {
    pub commit: Vec<u8>,
    pub welcome: Vec<u8>,
    pub tree: Vec<u8>,
}

/// How to join by an external Commit.
pub struct ExternalJoin<'a> {
    pub group_info: &'a [u8],
    /// Empty if the GroupInfo holds it.
    pub tree: &'a [u8],
    pub identity: &'a [u8],
    pub private: bool,
    pub remove_prior: bool,
    /// Identifiers and secrets.
    pub psks: Vec<(Vec<u8>, Vec<u8>)>,
}

/// An MLS library with one cryptographic provider.
///
/// `private` says whether a member's handshake messages are PrivateMessages. A
/// `tree` is the content of a ratchet_tree extension, or empty.
pub trait Library: Send + 'static {
    /// Someone who has an identity, keys and stores, and is in no group yet.
    type Client: Send;
    /// A member's view of a group.
    type Group: Send;
    /// A group that a ReInit closed, and the client that waits for the new one.
    type ReInit: Send;
    /// An external sender.
    type Signer: Send;

    /// The library, its version and its provider.
    fn name(&self) -> String;
    fn suites(&self) -> Vec<u16>;

    fn client(&mut self, suite: u16, identity: &[u8]) -> Result<Self::Client>;
    fn key_package(&mut self, client: &mut Self::Client) -> Result<KeyPackage>;
    fn create(&mut self, client: Self::Client, id: &[u8], private: bool) -> Result<Self::Group>;
    fn join(
        &mut self,
        client: Self::Client,
        welcome: &[u8],
        tree: &[u8],
        private: bool,
    ) -> Result<Self::Group>;
    /// Returns the group and the Commit.
    fn external_join(&mut self, how: ExternalJoin) -> Result<(Self::Group, Vec<u8>)>;

    /// Returns a GroupInfo and, if asked for, the tree that it then lacks.
    fn group_info(
        &mut self,
        group: &Self::Group,
        external_tree: bool,
    ) -> Result<(Vec<u8>, Vec<u8>)>;
    fn epoch_authenticator(&self, group: &Self::Group) -> Result<Vec<u8>>;
    fn export(
        &self,
        group: &Self::Group,
        label: &str,
        context: &[u8],
        len: usize,
    ) -> Result<Vec<u8>>;
    fn protect(&mut self, group: &mut Self::Group, aad: &[u8], data: &[u8]) -> Result<Vec<u8>>;
    /// Returns authenticated data and plaintext.
    fn unprotect(&mut self, group: &mut Self::Group, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)>;
    fn store_psk(&mut self, client: &mut Self::Client, id: &[u8], psk: &[u8]) -> Result<()>;
    fn store_group_psk(&mut self, group: &mut Self::Group, id: &[u8], psk: &[u8]) -> Result<()>;

    fn propose(&mut self, group: &mut Self::Group, proposal: Proposal) -> Result<Vec<u8>>;
    fn commit(&mut self, group: &mut Self::Group, options: CommitOptions) -> Result<Commit>;
    fn apply_pending(&mut self, group: &mut Self::Group) -> Result<()>;
    fn process_commit(
        &mut self,
        group: &mut Self::Group,
        proposals: &[Vec<u8>],
        commit: &[u8],
    ) -> Result<()>;
    /// Lets a library that keeps its state in memory until it is told to write do
    /// so. A measurement calls it outside of what it measures.
    fn flush(&mut self, _group: &mut Self::Group) -> Result<()> {
        Ok(())
    }

    /// Fails if there is no reinitialization, or no branching. Asked before any call
    /// of either, so that a call that cannot succeed changes nothing.
    fn can_reinit(&self) -> Result<()>;
    fn can_branch(&self) -> Result<()>;

    /// Turns a group whose last Commit held a ReInit into one that waits for the
    /// new group, and returns a KeyPackage for that.
    fn close_for_reinit(&mut self, group: Self::Group) -> Result<(Self::ReInit, Vec<u8>)>;
    /// Returns the new group; its Welcome and tree are in the Commit.
    fn create_reinit(
        &mut self,
        old: Self::ReInit,
        key_packages: &[Vec<u8>],
        force_path: bool,
        external_tree: bool,
    ) -> Result<(Self::Group, Commit)>;
    fn join_reinit(
        &mut self,
        old: Self::ReInit,
        welcome: &[u8],
        tree: &[u8],
    ) -> Result<Self::Group>;
    fn create_branch(
        &mut self,
        group: &mut Self::Group,
        id: &[u8],
        extensions: Vec<Extension>,
        key_packages: &[Vec<u8>],
        force_path: bool,
        external_tree: bool,
    ) -> Result<(Self::Group, Commit)>;
    fn join_branch(
        &mut self,
        group: &mut Self::Group,
        client: Self::Client,
        welcome: &[u8],
        tree: &[u8],
    ) -> Result<Self::Group>;

    /// Returns a client that has made a KeyPackage, that package, and the external
    /// Add proposal for it.
    fn new_member_add(
        &mut self,
        group_info: &[u8],
        identity: &[u8],
    ) -> Result<(Self::Client, KeyPackage, Vec<u8>)>;
    /// Returns the signer and its ExternalSender.
    fn external_signer(&mut self, suite: u16, identity: &[u8]) -> Result<(Self::Signer, Vec<u8>)>;
    fn external_proposal(
        &mut self,
        signer: &mut Self::Signer,
        index: u32,
        group_info: &[u8],
        tree: &[u8],
        proposal: Proposal,
    ) -> Result<Vec<u8>>;
}
