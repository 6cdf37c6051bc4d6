//! mls-rs as a [`Library`].

use crate::library::{
    Commit, CommitOptions, Error, Extension, ExternalJoin, KeyPackage, Library, Proposal, Result,
    refused,
};
use mls_rs::client_builder::{
    BaseInMemoryConfig, ClientBuilder, PaddingMode, WithCryptoProvider, WithIdentityProvider,
    WithMlsRules,
};
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::external_client::builder as external;
use mls_rs::external_client::{ExternalClient, ExternalGroup};
use mls_rs::group::{CommitEffect, ExportedTree, GroupContext, ReceivedMessage, Roster};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs::mls_rules::{
    self, CommitDirection, CommitSource, EncryptionOptions, ProposalBundle, ProposalInfo,
};
use mls_rs::psk::ExternalPskId;
use mls_rs::{
    CipherSuite, CipherSuiteProvider, CryptoProvider, ExtensionList, MlsMessage, MlsRules,
    ProtocolVersion,
};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

pub const VERSION: &str = env!("MLS_RS_VERSION");

/// mls-rs with the provider `C`.
pub struct MlsRs<C> {
    crypto: C,
    provider: &'static str,
    /// The keys of each identity. A branch is joined with the keys of the group it
    /// comes from, so a KeyPackage for it has to be made with those.
    known: HashMap<(u16, Vec<u8>), (SignatureSecretKey, SigningIdentity)>,
}

impl<C: CryptoProvider + Clone + Default> MlsRs<C> {
    pub fn new(provider: &'static str) -> Self {
        MlsRs {
            crypto: C::default(),
            provider,
            known: HashMap::new(),
        }
    }

    fn make_client(
        &self,
        suite: CipherSuite,
        identity: SigningIdentity,
        signer: SignatureSecretKey,
    ) -> Client<C> {
        let rules = Rules::default();
        let client = ClientBuilder::new()
            .crypto_provider(self.crypto.clone())
            .identity_provider(BasicIdentityProvider::new())
            .mls_rules(rules.clone())
            .signing_identity(identity.clone(), signer.clone(), suite)
            .build();
        Client {
            client,
            rules,
            identity,
            signer,
        }
    }

    fn keys(
        &self,
        suite: CipherSuite,
        identity: &[u8],
    ) -> Result<(SignatureSecretKey, SigningIdentity)> {
        let suite = self
            .crypto
            .cipher_suite_provider(suite)
            .ok_or(Error::Unsupported("the provider lacks this cipher suite"))?;
        let (secret, public) = suite
            .signature_key_generate()
            .map_err(refused("generate signature key"))?;
        let credential = BasicCredential::new(identity.to_vec()).into_credential();
        Ok((secret, SigningIdentity::new(credential, public)))
    }

    /// Looks at a group from outside.
    fn observe(&self, info: MlsMessage, tree: &[u8]) -> Result<ExternalGroup<ExternalConfig<C>>> {
        ExternalClient::builder()
            .crypto_provider(self.crypto.clone())
            .identity_provider(BasicIdentityProvider::new())
            .build()
            .observe_group(info, parse_tree(tree)?, None)
            .map_err(refused("observe group"))
    }
}

type Config<C> = WithIdentityProvider<
    BasicIdentityProvider,
    WithCryptoProvider<C, WithMlsRules<Rules, BaseInMemoryConfig>>,
>;

type ExternalConfig<C> = external::WithIdentityProvider<
    BasicIdentityProvider,
    external::WithCryptoProvider<C, external::ExternalBaseConfig>,
>;

#[derive(Clone)]
pub struct Client<C: CryptoProvider + Clone> {
    client: mls_rs::Client<Config<C>>,
    rules: Rules,
    identity: SigningIdentity,
    signer: SignatureSecretKey,
}

pub struct Group<C: CryptoProvider + Clone> {
    of: Client<C>,
    group: mls_rs::Group<Config<C>>,
    /// The suite of the group to come, once a Commit held a ReInit.
    reinit: Option<CipherSuite>,
}

impl<C: CryptoProvider + Clone> Group<C> {
    fn new(of: Client<C>, group: mls_rs::Group<Config<C>>) -> Self {
        Group {
            of,
            group,
            reinit: None,
        }
    }

    /// Handles proposals and returns their references.
    fn take_proposals(&mut self, proposals: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        proposals
            .iter()
            .map(|p| {
                let got = self
                    .group
                    .process_incoming_message(parse(p)?)
                    .map_err(refused("process proposal"))?;
                match got {
                    ReceivedMessage::Proposal(p) => Ok(p.proposal_ref()),
                    got => Err(Error::Refused(format!("want a proposal, got {got:?}"))),
                }
            })
            .collect()
    }

    fn member(&self, identity: &[u8]) -> Result<u32> {
        find(&self.group.roster(), identity)
    }

    fn note(&mut self, effect: CommitEffect) {
        if let CommitEffect::ReInit(r) = effect {
            self.reinit = Some(r.proposal.new_cipher_suite());
        }
    }
}

/// What mls-rs asks about a Commit while it makes one.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Mutex<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    commit: mls_rules::CommitOptions,
    private: bool,
    /// The references that the next Commit may hold. mls-rs would commit whatever
    /// it has seen, while the interface has the caller name it.
    wanted: Option<Vec<Vec<u8>>>,
}

impl Rules {
    fn change(&self, f: impl FnOnce(&mut Answers)) {
        f(&mut self.0.lock().unwrap());
    }

    fn path_and_tree(&self, force_path: bool, external_tree: bool) {
        self.change(|a| {
            a.commit = a
                .commit
                .with_path_required(force_path)
                .with_ratchet_tree_extension(!external_tree)
        });
    }
}

impl MlsRules for Rules {
    type Error = Infallible;

    fn filter_proposals(
        &self,
        direction: CommitDirection,
        _: CommitSource,
        _: &Roster,
        _: &GroupContext,
        mut proposals: ProposalBundle,
    ) -> std::result::Result<ProposalBundle, Infallible> {
        let answers = self.0.lock().unwrap();
        if let (CommitDirection::Send, Some(wanted)) = (direction, &answers.wanted) {
            proposals.retain(|p: &ProposalInfo<_>| {
                Ok::<_, Infallible>(
                    p.proposal_ref()
                        .is_none_or(|r| wanted.iter().any(|w| w[..] == r[..])),
                )
            })?;
        }
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _: &Roster,
        _: &GroupContext,
        _: &ProposalBundle,
    ) -> std::result::Result<mls_rules::CommitOptions, Infallible> {
        Ok(self.0.lock().unwrap().commit)
    }

    fn encryption_options(
        &self,
        _: &Roster,
        _: &GroupContext,
    ) -> std::result::Result<EncryptionOptions, Infallible> {
        let mut options = EncryptionOptions::default();
        options.encrypt_control_messages = self.0.lock().unwrap().private;
        // As OpenMLS does unless it is told otherwise.
        options.padding_mode = PaddingMode::None;
        Ok(options)
    }
}

impl<C: CryptoProvider + Clone + Default + 'static> Library for MlsRs<C> {
    type Client = Client<C>;
    type Group = Group<C>;
    type ReInit = Group<C>;
    type Signer = ExternalClient<ExternalConfig<C>>;

    fn name(&self) -> String {
        format!("mls-rs {} ({})", VERSION, self.provider)
    }

    fn suites(&self) -> Vec<u16> {
        let suites = self.crypto.supported_cipher_suites();
        // Suites without a number of the IANA registry are this library's own.
        suites
            .into_iter()
            .map(u16::from)
            .filter(|s| *s <= 7)
            .collect()
    }

    fn client(&mut self, suite: u16, identity: &[u8]) -> Result<Client<C>> {
        let key = (suite, identity.to_vec());
        let suite = CipherSuite::from(suite);
        let (signer, identity) = match self.known.get(&key) {
            Some(keys) => keys.clone(),
            None => {
                let keys = self.keys(suite, identity)?;
                self.known.insert(key, keys.clone());
                keys
            }
        };
        Ok(self.make_client(suite, identity, signer))
    }

    fn key_package(&mut self, client: &mut Client<C>) -> Result<KeyPackage> {
        let message = client
            .client
            .generate_key_package_message(Default::default(), Default::default(), None)
            .map_err(refused("make KeyPackage"))?;
        private_keys(client, bytes(&message)?)
    }

    fn create(&mut self, client: Client<C>, id: &[u8], private: bool) -> Result<Group<C>> {
        client.rules.change(|a| a.private = private);
        let group = client
            .client
            .create_group_with_id(id.to_vec(), Default::default(), Default::default(), None)
            .map_err(refused("create group"))?;
        Ok(Group::new(client, group))
    }

    fn join(
        &mut self,
        client: Client<C>,
        welcome: &[u8],
        tree: &[u8],
        private: bool,
    ) -> Result<Group<C>> {
        client.rules.change(|a| a.private = private);
        let (group, _) = client
            .client
            .join_group(parse_tree(tree)?, &parse(welcome)?, None)
            .map_err(refused("join group"))?;
        Ok(Group::new(client, group))
    }

    fn external_join(&mut self, how: ExternalJoin) -> Result<(Group<C>, Vec<u8>)> {
        let info = parse(how.group_info)?;
        let suite = info
            .cipher_suite()
            .ok_or_else(|| Error::Refused("want a GroupInfo".into()))?;
        let mut client = self.client(suite.into(), how.identity)?;
        client.rules.change(|a| a.private = how.private);
        let prior = if how.remove_prior {
            let outside = self.observe(info.clone(), how.tree)?;
            Some(find(&outside.roster(), how.identity)?)
        } else {
            None
        };
        let mut builder = client
            .client
            .external_commit_builder()
            .map_err(refused("build external Commit"))?;
        if let Some(tree) = parse_tree(how.tree)? {
            builder = builder.with_tree_data(tree);
        }
        if let Some(prior) = prior {
            builder = builder.with_removal(prior);
        }
        for (id, psk) in how.psks {
            self.store_psk(&mut client, &id, &psk)?;
            builder = builder.with_external_psk(ExternalPskId::new(id));
        }
        let (group, commit) = builder.build(info).map_err(refused("join by Commit"))?;
        Ok((Group::new(client, group), bytes(&commit)?))
    }

    fn group_info(&mut self, group: &Group<C>, external_tree: bool) -> Result<(Vec<u8>, Vec<u8>)> {
        let info = group
            .group
            .group_info_message_allowing_ext_commit(!external_tree)
            .map_err(refused("make GroupInfo"))?;
        Ok((bytes(&info)?, tree_if(external_tree, &group.group)?))
    }

    fn epoch_authenticator(&self, group: &Group<C>) -> Result<Vec<u8>> {
        let secret = group.group.epoch_authenticator();
        Ok(secret
            .map_err(refused("read epoch authenticator"))?
            .to_vec())
    }

    fn export(&self, group: &Group<C>, label: &str, context: &[u8], len: usize) -> Result<Vec<u8>> {
        let secret = group.group.export_secret(label.as_bytes(), context, len);
        Ok(secret.map_err(refused("export"))?.to_vec())
    }

    fn protect(&mut self, group: &mut Group<C>, aad: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        let message = group
            .group
            .encrypt_application_message(data, aad.to_vec())
            .map_err(refused("protect"))?;
        bytes(&message)
    }

    fn unprotect(&mut self, group: &mut Group<C>, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let got = group
            .group
            .process_incoming_message(parse(message)?)
            .map_err(refused("unprotect"))?;
        match got {
            ReceivedMessage::ApplicationMessage(m) => {
                Ok((m.authenticated_data.clone(), m.data().to_vec()))
            }
            got => Err(Error::Refused(format!(
                "want application data, got {got:?}"
            ))),
        }
    }

    fn store_psk(&mut self, client: &mut Client<C>, id: &[u8], psk: &[u8]) -> Result<()> {
        // The store is shared with the groups that the client made.
        let id = ExternalPskId::new(id.to_vec());
        client.client.secret_store().insert(id, psk.to_vec().into());
        Ok(())
    }

    fn store_group_psk(&mut self, group: &mut Group<C>, id: &[u8], psk: &[u8]) -> Result<()> {
        self.store_psk(&mut group.of, id, psk)
    }

    fn propose(&mut self, group: &mut Group<C>, proposal: Proposal) -> Result<Vec<u8>> {
        let aad = vec![];
        let message = match proposal {
            Proposal::Add(kp) => group.group.propose_add(parse(&kp)?, aad),
            Proposal::Update => group.group.propose_update(aad),
            Proposal::Remove(identity) => {
                let index = group.member(&identity)?;
                group.group.propose_remove(index, aad)
            }
            Proposal::ExternalPsk(id) => group
                .group
                .propose_external_psk(ExternalPskId::new(id), aad),
            Proposal::ResumptionPsk(epoch) => group.group.propose_resumption_psk(epoch, aad),
            Proposal::GroupContextExtensions(e) => group
                .group
                .propose_group_context_extensions(extension_list(e), aad),
            Proposal::AddExternalSender(sender) => {
                let extensions = with_sender(group.group.context(), &sender)?;
                group
                    .group
                    .propose_group_context_extensions(extensions, aad)
            }
            Proposal::ReInit {
                group_id,
                suite,
                extensions,
            } => group.group.propose_reinit(
                Some(group_id),
                ProtocolVersion::MLS_10,
                suite.into(),
                extension_list(extensions),
                aad,
            ),
        };
        bytes(&message.map_err(refused("propose"))?)
    }

    fn commit(&mut self, group: &mut Group<C>, options: CommitOptions) -> Result<Commit> {
        let wanted = group.take_proposals(&options.by_reference)?;
        let rules = group.of.rules.clone();
        rules.path_and_tree(options.force_path, options.external_tree);
        rules.change(|a| a.wanted = Some(wanted));

        let mut adds = vec![];
        for p in options.by_value {
            adds.push(match p {
                Proposal::Remove(identity) => ByValue::Remove(group.member(&identity)?),
                Proposal::AddExternalSender(s) => {
                    ByValue::Extensions(with_sender(group.group.context(), &s)?)
                }
                p => ByValue::Plain(p),
            });
        }
        let mut builder = group.group.commit_builder();
        for p in adds {
            builder = match p {
                ByValue::Remove(index) => builder.remove_member(index),
                ByValue::Extensions(e) => builder.set_group_context_ext(e),
                ByValue::Plain(Proposal::Add(kp)) => builder.add_member(parse(&kp)?),
                ByValue::Plain(Proposal::ExternalPsk(id)) => {
                    builder.add_external_psk(ExternalPskId::new(id))
                }
                ByValue::Plain(Proposal::ResumptionPsk(epoch)) => builder.add_resumption_psk(epoch),
                ByValue::Plain(Proposal::GroupContextExtensions(e)) => {
                    builder.set_group_context_ext(extension_list(e))
                }
                ByValue::Plain(Proposal::ReInit {
                    group_id,
                    suite,
                    extensions,
                }) => builder.reinit(
                    Some(group_id),
                    ProtocolVersion::MLS_10,
                    suite.into(),
                    extension_list(extensions),
                ),
                ByValue::Plain(_) => {
                    return Err(Error::Refused("no such proposal by value".into()));
                }
            }
            .map_err(refused("add a proposal to the Commit"))?;
        }
        let out = builder.build().map_err(refused("commit"))?;
        rules.change(|a| a.wanted = None);
        Ok(Commit {
            commit: bytes(&out.commit_message)?,
            welcome: first(&out.welcome_messages)?,
            tree: match (&out.ratchet_tree, options.external_tree) {
                (Some(tree), true) => tree.to_bytes().map_err(refused("encode tree"))?,
                _ => vec![],
            },
        })
    }

    fn apply_pending(&mut self, group: &mut Group<C>) -> Result<()> {
        let done = group
            .group
            .apply_pending_commit()
            .map_err(refused("apply pending Commit"))?;
        group.note(done.effect);
        Ok(())
    }

    fn process_commit(
        &mut self,
        group: &mut Group<C>,
        proposals: &[Vec<u8>],
        commit: &[u8],
    ) -> Result<()> {
        group.take_proposals(proposals)?;
        let got = group
            .group
            .process_incoming_message(parse(commit)?)
            .map_err(refused("process Commit"))?;
        match got {
            ReceivedMessage::Commit(done) => {
                group.note(done.effect);
                Ok(())
            }
            got => Err(Error::Refused(format!("want a Commit, got {got:?}"))),
        }
    }

    fn flush(&mut self, group: &mut Group<C>) -> Result<()> {
        group.group.write_to_storage().map_err(refused("write"))
    }

    fn can_reinit(&self) -> Result<()> {
        Ok(())
    }

    fn can_branch(&self) -> Result<()> {
        Ok(())
    }

    fn close_for_reinit(&mut self, mut group: Group<C>) -> Result<(Group<C>, Vec<u8>)> {
        let suite = group
            .reinit
            .ok_or_else(|| Error::Refused("no ReInit was committed".into()))?;
        let old = &group.of.identity.credential;
        let identity = old
            .as_basic()
            .ok_or_else(|| Error::Refused("want a basic credential".into()))?
            .identifier
            .clone();
        // A new suite may need a key of another kind, so there is always a new one.
        let (signer, identity) = self.keys(suite, &identity)?;
        group.of.signer = signer;
        group.of.identity = identity;
        let key_package = reinit_client(&group)?
            .generate_key_package(None)
            .map_err(refused("make KeyPackage"))?;
        Ok((group, bytes(&key_package)?))
    }

    fn create_reinit(
        &mut self,
        old: Group<C>,
        key_packages: &[Vec<u8>],
        force_path: bool,
        external_tree: bool,
    ) -> Result<(Group<C>, Commit)> {
        old.of.rules.path_and_tree(force_path, external_tree);
        let key_packages = key_packages
            .iter()
            .map(|k| parse(k))
            .collect::<Result<_>>()?;
        let (group, welcome) = reinit_client(&old)?
            .commit(key_packages, Default::default(), None)
            .map_err(refused("create the new group"))?;
        subgroup(old.of, group, &welcome, external_tree)
    }

    fn join_reinit(&mut self, old: Group<C>, welcome: &[u8], tree: &[u8]) -> Result<Group<C>> {
        let (group, _) = reinit_client(&old)?
            .join(&parse(welcome)?, parse_tree(tree)?, None)
            .map_err(refused("join the new group"))?;
        Ok(Group::new(old.of, group))
    }

    fn create_branch(
        &mut self,
        group: &mut Group<C>,
        id: &[u8],
        extensions: Vec<Extension>,
        key_packages: &[Vec<u8>],
        force_path: bool,
        external_tree: bool,
    ) -> Result<(Group<C>, Commit)> {
        if !extensions.is_empty() {
            return Err(Error::Unsupported(
                "mls-rs gives a branch the extensions of the group it comes from",
            ));
        }
        group.of.rules.path_and_tree(force_path, external_tree);
        let key_packages = key_packages
            .iter()
            .map(|k| parse(k))
            .collect::<Result<_>>()?;
        let (branch, welcome) = group
            .group
            .branch(id.to_vec(), key_packages, None)
            .map_err(refused("branch"))?;
        subgroup(group.of.clone(), branch, &welcome, external_tree)
    }

    fn join_branch(
        &mut self,
        group: &mut Group<C>,
        client: Client<C>,
        welcome: &[u8],
        tree: &[u8],
    ) -> Result<Group<C>> {
        // A branch is joined with the stores of the group it comes from.
        let store = group.of.client.key_package_store();
        for (id, key_package) in client.client.key_package_store().key_packages() {
            store.insert(id, key_package);
        }
        let (branch, _) = group
            .group
            .join_subgroup(&parse(welcome)?, parse_tree(tree)?, None)
            .map_err(refused("join branch"))?;
        Ok(Group::new(group.of.clone(), branch))
    }

    fn new_member_add(
        &mut self,
        group_info: &[u8],
        identity: &[u8],
    ) -> Result<(Client<C>, KeyPackage, Vec<u8>)> {
        let info = parse(group_info)?;
        let suite = info
            .cipher_suite()
            .ok_or_else(|| Error::Refused("want a GroupInfo".into()))?;
        let client = self.client(suite.into(), identity)?;
        let (none, list) = (None, ExtensionList::default());
        let proposal = client
            .client
            .external_add_proposal(&info, none, vec![], list.clone(), list, None)
            .map_err(refused("propose to add oneself"))?;
        let key_package = private_keys(&client, vec![])?;
        Ok((client, key_package, bytes(&proposal)?))
    }

    fn external_signer(&mut self, suite: u16, identity: &[u8]) -> Result<(Self::Signer, Vec<u8>)> {
        let (signer, identity) = self.keys(suite.into(), identity)?;
        let sender = identity
            .mls_encode_to_vec()
            .map_err(refused("encode ExternalSender"))?;
        let client = ExternalClient::builder()
            .crypto_provider(self.crypto.clone())
            .identity_provider(BasicIdentityProvider::new())
            .signer(signer, identity)
            .build();
        Ok((client, sender))
    }

    fn external_proposal(
        &mut self,
        signer: &mut Self::Signer,
        _index: u32, // mls-rs finds it by the key
        group_info: &[u8],
        tree: &[u8],
        proposal: Proposal,
    ) -> Result<Vec<u8>> {
        let mut group = signer
            .observe_group(parse(group_info)?, parse_tree(tree)?, None)
            .map_err(refused("observe group"))?;
        let aad = vec![];
        let message = match proposal {
            Proposal::Add(kp) => group.propose_add(parse(&kp)?, aad),
            Proposal::Remove(identity) => {
                let index = find(&group.roster(), &identity)?;
                group.propose_remove(index, aad)
            }
            Proposal::ExternalPsk(id) => group.propose_external_psk(ExternalPskId::new(id), aad),
            Proposal::ResumptionPsk(epoch) => group.propose_resumption_psk(epoch, aad),
            Proposal::GroupContextExtensions(e) => {
                group.propose_group_context_extensions(extension_list(e), aad)
            }
            Proposal::ReInit {
                group_id,
                suite,
                extensions,
            } => group.propose_reinit(
                Some(group_id),
                ProtocolVersion::MLS_10,
                suite.into(),
                extension_list(extensions),
                aad,
            ),
            Proposal::Update | Proposal::AddExternalSender(_) => {
                return Err(Error::Refused("no such external proposal".into()));
            }
        };
        bytes(&message.map_err(refused("propose"))?)
    }
}

/// A proposal by value whose reference to the group is resolved before the builder
/// borrows it.
enum ByValue {
    Plain(Proposal),
    Remove(u32),
    Extensions(ExtensionList),
}

fn reinit_client<C: CryptoProvider + Clone>(
    old: &Group<C>,
) -> Result<mls_rs::group::ReinitClient<Config<C>>> {
    old.group
        .clone()
        .get_reinit_client(Some(old.of.signer.clone()), Some(old.of.identity.clone()))
        .map_err(refused("reinitialize"))
}

fn subgroup<C: CryptoProvider + Clone>(
    of: Client<C>,
    group: mls_rs::Group<Config<C>>,
    welcome: &[MlsMessage],
    external_tree: bool,
) -> Result<(Group<C>, Commit)> {
    let commit = Commit {
        commit: vec![],
        welcome: first(welcome)?,
        tree: tree_if(external_tree, &group)?,
    };
    Ok((Group::new(of, group), commit))
}

/// Adds the private keys to the one KeyPackage that the client has made.
fn private_keys<C: CryptoProvider + Clone>(
    client: &Client<C>,
    message: Vec<u8>,
) -> Result<KeyPackage> {
    let store = client.client.key_package_store();
    let (_, keys) = store
        .key_packages()
        .pop()
        .ok_or_else(|| Error::Refused("no KeyPackage was stored".into()))?;
    let mut signature = client.signer.to_vec();
    // The library keeps an Ed25519 key as seed and public key; a suite knows the seed.
    if signature.len() == 64 {
        signature.truncate(32);
    }
    Ok(KeyPackage {
        message,
        init: keys.init_key.to_vec(),
        encryption: keys.leaf_node_key.to_vec(),
        signature,
    })
}

fn with_sender(context: &GroupContext, sender: &[u8]) -> Result<ExtensionList> {
    let mut extensions = context.extensions().clone();
    let mut senders = extensions
        .get_as::<ExternalSendersExt>()
        .map_err(refused("decode external_senders"))?
        .map(|e| e.allowed_senders)
        .unwrap_or_default();
    let sender = SigningIdentity::mls_decode(&mut &*sender);
    senders.push(sender.map_err(refused("decode ExternalSender"))?);
    extensions
        .set_from(ExternalSendersExt::new(senders))
        .map_err(refused("encode external_senders"))?;
    Ok(extensions)
}

fn find(roster: &Roster, identity: &[u8]) -> Result<u32> {
    roster
        .members_iter()
        .find(|m| {
            let credential = m.signing_identity.credential.as_basic();
            credential.is_some_and(|c| c.identifier == identity)
        })
        .map(|m| m.index)
        .ok_or_else(|| Error::NotFound(format!("member {:?}", String::from_utf8_lossy(identity))))
}

fn extension_list(extensions: Vec<Extension>) -> ExtensionList {
    let list = extensions.into_iter();
    list.map(|e| mls_rs::Extension::new(e.typ.into(), e.data))
        .collect::<Vec<_>>()
        .into()
}

fn first(messages: &[MlsMessage]) -> Result<Vec<u8>> {
    messages.first().map_or(Ok(vec![]), bytes)
}

fn tree_if<C: CryptoProvider + Clone>(
    wanted: bool,
    group: &mls_rs::Group<Config<C>>,
) -> Result<Vec<u8>> {
    if !wanted {
        return Ok(vec![]);
    }
    group
        .export_tree()
        .to_bytes()
        .map_err(refused("encode tree"))
}

fn parse_tree(tree: &[u8]) -> Result<Option<ExportedTree<'static>>> {
    if tree.is_empty() {
        return Ok(None);
    }
    let tree = ExportedTree::from_bytes(tree);
    Ok(Some(tree.map_err(refused("decode tree"))?))
}

fn parse(message: &[u8]) -> Result<MlsMessage> {
    MlsMessage::from_bytes(message).map_err(refused("decode MLSMessage"))
}

fn bytes(message: &MlsMessage) -> Result<Vec<u8>> {
    message.to_bytes().map_err(refused("encode MLSMessage"))
}
