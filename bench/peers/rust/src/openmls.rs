//! OpenMLS as a [`Library`].

use crate::library::{
    Commit, CommitOptions, Error, Extension, ExternalJoin, KeyPackage, Library, Proposal, Result,
    refused,
};
use openmls::ciphersuite::hash_ref::ProposalRef;
use openmls::group::{
    GroupContext, GroupEpoch, GroupId, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY,
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
    ProposalStore, PublicGroup, StagedWelcome, WireFormatPolicy,
};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::messages::proposals::{PreSharedKeyProposal, ProposalOrRefType};
use openmls::prelude::Extension as MlsExtension;
use openmls::prelude::tls_codec::{DeserializeBytes, Serialize, VLByteSlice};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, Credential, CredentialWithKey, Extensions,
    ExternalProposal, ExternalSender, JoinProposal, KeyPackageBundle, LeafNodeIndex,
    LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsCrypto,
    ProcessedMessageContent, ProtocolMessage, ProtocolVersion, RatchetTreeIn, SenderExtensionIndex,
};
use openmls::schedule::psk::ResumptionPskUsage;
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls::storage::OpenMlsProvider;
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::random::OpenMlsRand;
use std::collections::HashMap;
use std::marker::PhantomData;

pub const VERSION: &str = env!("OPENMLS_VERSION");

/// Epochs that a group keeps the keys and resumption PSKs of. The runner looks back
/// a few; a measurement keeps none, as the other library does.
#[derive(Clone, Copy)]
pub struct Memory {
    pub past_epochs: usize,
    pub resumption_psks: usize,
}

/// OpenMLS with the provider `P`, of which each client has its own.
pub struct OpenMls<P> {
    provider: &'static str,
    memory: Memory,
    /// The key of each member that was here, by group and identity. OpenMLS removes
    /// a prior member in an external Commit only if the new one has its key.
    prior: HashMap<(Vec<u8>, Vec<u8>), SignatureKeyPair>,
    of: PhantomData<fn() -> P>,
}

impl<P: OpenMlsProvider + Default> OpenMls<P> {
    pub fn new(provider: &'static str, memory: Memory) -> Self {
        OpenMls {
            provider,
            memory,
            prior: HashMap::new(),
            of: PhantomData,
        }
    }

    fn make_client(&self, suite: Ciphersuite, identity: &[u8]) -> Result<Client<P>> {
        let signer = SignatureKeyPair::new(suite.signature_algorithm())
            .map_err(refused("generate signature key"))?;
        self.client_with(suite, identity, signer)
    }

    fn client_with(
        &self,
        suite: Ciphersuite,
        identity: &[u8],
        signer: SignatureKeyPair,
    ) -> Result<Client<P>> {
        let provider = P::default();
        provider
            .crypto()
            .supports(suite)
            .map_err(|_| Error::Unsupported("the provider lacks this cipher suite"))?;
        let credential = CredentialWithKey {
            credential: BasicCredential::new(identity.to_vec()).into(),
            signature_key: signer.public().into(),
        };
        Ok(Client {
            provider,
            signer,
            credential,
            identity: identity.to_vec(),
            suite,
        })
    }

    fn joined(&mut self, of: Client<P>, group: MlsGroup) -> Group<P> {
        let key = (group.group_id().to_vec(), of.identity.clone());
        self.prior.insert(key, of.signer.clone());
        Group {
            of,
            group,
            own: vec![],
            applied: false,
        }
    }

    fn join_config(&self, private: bool) -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(policy(private))
            .max_past_epochs(self.memory.past_epochs)
            .number_of_resumption_psks(self.memory.resumption_psks)
            .build()
    }
}

pub struct Client<P> {
    provider: P,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    identity: Vec<u8>,
    suite: Ciphersuite,
}

impl<P: OpenMlsProvider> Client<P> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::for_provider(self.provider.crypto())
    }

    fn bundle(&self) -> Result<KeyPackageBundle> {
        openmls::prelude::KeyPackage::builder()
            .leaf_node_capabilities(self.capabilities())
            .build(
                self.suite,
                &self.provider,
                &self.signer,
                self.credential.clone(),
            )
            .map_err(refused("make KeyPackage"))
    }

    fn psk(&self, psk: Psk) -> Result<PreSharedKeyId> {
        PreSharedKeyId::new(self.suite, self.provider.rand(), psk).map_err(refused("name PSK"))
    }

    fn store_psk(&self, id: &[u8], psk: &[u8]) -> Result<PreSharedKeyId> {
        let id = self.psk(Psk::External(ExternalPsk::new(id.to_vec())))?;
        id.store(&self.provider, psk)
            .map_err(refused("store PSK"))?;
        Ok(id)
    }

    fn parse_key_package(&self, message: &[u8]) -> Result<openmls::prelude::KeyPackage> {
        match parse(message)? {
            MlsMessageBodyIn::KeyPackage(k) => k
                .validate(self.provider.crypto(), ProtocolVersion::Mls10)
                .map_err(refused("validate KeyPackage")),
            _ => Err(Error::Refused("want a KeyPackage".into())),
        }
    }
}

pub struct Group<P> {
    of: Client<P>,
    group: MlsGroup,
    /// The proposals of this member and their references: it cannot open its own
    /// PrivateMessages.
    own: Vec<(Vec<u8>, ProposalRef)>,
    /// Whether the pending Commit is applied already, see [`Library::commit`].
    applied: bool,
}

impl<P: OpenMlsProvider> Group<P> {
    fn member(&self, identity: &[u8]) -> Result<LeafNodeIndex> {
        find(self.group.members(), identity)
    }

    fn resumption_psk(&self, epoch: u64) -> Result<PreSharedKeyId> {
        let len = self.of.suite.hash_length();
        let nonce = self.of.provider.rand().random_vec(len);
        Ok(PreSharedKeyId::resumption(
            ResumptionPskUsage::Application,
            self.group.group_id().clone(),
            GroupEpoch::from(epoch),
            nonce.map_err(refused("draw nonce"))?,
        ))
    }

    fn external_psk(&self, id: Vec<u8>) -> Result<PreSharedKeyId> {
        self.of.psk(Psk::External(ExternalPsk::new(id)))
    }

    fn with_sender(&self, sender: &[u8]) -> Result<Extensions<GroupContext>> {
        let sender = ExternalSender::tls_deserialize_exact_bytes(sender)
            .map_err(refused("decode ExternalSender"))?;
        let mut extensions = self.group.extensions().clone();
        let mut senders = extensions.external_senders().cloned().unwrap_or_default();
        senders.push(sender);
        extensions
            .add_or_replace(MlsExtension::ExternalSenders(senders))
            .map_err(refused("set external_senders"))?;
        Ok(extensions)
    }

    /// Handles proposals and returns their references.
    fn take_proposals(&mut self, proposals: &[Vec<u8>]) -> Result<Vec<ProposalRef>> {
        let mut refs = vec![];
        for p in proposals {
            if let Some((_, own)) = self.own.iter().find(|(message, _)| message == p) {
                refs.push(own.clone());
                continue;
            }
            let got = self
                .group
                .process_message(&self.of.provider, protocol_message(p)?)
                .map_err(refused("process proposal"))?;
            let queued = match got.into_content() {
                ProcessedMessageContent::ProposalMessage(q)
                | ProcessedMessageContent::ExternalJoinProposalMessage(q) => *q,
                got => return Err(Error::Refused(format!("want a proposal, got {got:?}"))),
            };
            refs.push(queued.proposal_reference_ref().clone());
            self.group
                .store_pending_proposal(self.of.provider.storage(), queued)
                .map_err(refused("store proposal"))?;
        }
        Ok(refs)
    }
}

const NO_REINIT: &str = "OpenMLS implements no reinitialization";
const NO_BRANCH: &str = "OpenMLS implements no subgroup branching";

impl<P> Library for OpenMls<P>
where
    P: OpenMlsProvider + Default + Send + 'static,
{
    type Client = Client<P>;
    type Group = Group<P>;
    type ReInit = ();
    type Signer = Client<P>;

    fn name(&self) -> String {
        format!("OpenMLS {} ({})", VERSION, self.provider)
    }

    fn suites(&self) -> Vec<u16> {
        let suites = P::default().crypto().supported_ciphersuites();
        suites
            .into_iter()
            .map(u16::from)
            .filter(|s| *s <= 7)
            .collect()
    }

    fn client(&mut self, suite: u16, identity: &[u8]) -> Result<Client<P>> {
        let suite = Ciphersuite::try_from(suite)
            .map_err(|_| Error::Unsupported("OpenMLS does not know this cipher suite"))?;
        self.make_client(suite, identity)
    }

    fn key_package(&mut self, client: &mut Client<P>) -> Result<KeyPackage> {
        let bundle = client.bundle()?;
        Ok(KeyPackage {
            message: bytes(&MlsMessageOut::from(bundle.key_package().clone()))?,
            init: bundle.init_private_key().to_vec(),
            encryption: vec![], // which the bundle does not show
            signature: private_key(&client.signer)?,
        })
    }

    fn create(&mut self, client: Client<P>, id: &[u8], private: bool) -> Result<Group<P>> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(client.suite)
            .capabilities(client.capabilities())
            .wire_format_policy(policy(private))
            .max_past_epochs(self.memory.past_epochs)
            .number_of_resumption_psks(self.memory.resumption_psks)
            .build();
        let group = MlsGroup::new_with_group_id(
            &client.provider,
            &client.signer,
            &config,
            GroupId::from_slice(id),
            client.credential.clone(),
        )
        .map_err(refused("create group"))?;
        Ok(self.joined(client, group))
    }

    fn join(
        &mut self,
        client: Client<P>,
        welcome: &[u8],
        tree: &[u8],
        private: bool,
    ) -> Result<Group<P>> {
        let MlsMessageBodyIn::Welcome(welcome) = parse(welcome)? else {
            return Err(Error::Refused("want a Welcome".into()));
        };
        let config = self.join_config(private);
        let group =
            StagedWelcome::new_from_welcome(&client.provider, &config, welcome, parse_tree(tree)?)
                .map_err(refused("stage Welcome"))?
                .into_group(&client.provider)
                .map_err(refused("join group"))?;
        Ok(self.joined(client, group))
    }

    fn external_join(&mut self, how: ExternalJoin) -> Result<(Group<P>, Vec<u8>)> {
        let info = parse_group_info(how.group_info)?;
        let suite = info.ciphersuite();
        let client = if how.remove_prior {
            let key = (info.group_id().to_vec(), how.identity.to_vec());
            let signer = self.prior.get(&key).cloned().ok_or(Error::Unsupported(
                "OpenMLS removes a prior member only by its signature key, and it was not here",
            ))?;
            self.client_with(suite, how.identity, signer)?
        } else {
            self.make_client(suite, how.identity)?
        };
        let mut psks = vec![];
        for (id, psk) in &how.psks {
            psks.push(PreSharedKeyProposal::new(client.store_psk(id, psk)?));
        }
        let mut builder =
            MlsGroup::external_commit_builder().with_config(self.join_config(how.private));
        if let Some(tree) = parse_tree(how.tree)? {
            builder = builder.with_ratchet_tree(tree);
        }
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(client.capabilities())
            .build();
        let provider = &client.provider;
        let (group, made) = builder
            .build_group(provider, info, client.credential.clone())
            .map_err(refused("build external Commit"))?
            .leaf_node_parameters(leaf)
            .add_psk_proposals(psks)
            .load_psks(provider.storage())
            .map_err(refused("load PSKs"))?
            .build(provider.rand(), provider.crypto(), &client.signer, |_| true)
            .map_err(refused("make external Commit"))?
            .finalize(provider)
            .map_err(refused("join by Commit"))?;
        Ok((self.joined(client, group), bytes(made.commit())?))
    }

    fn group_info(&mut self, group: &Group<P>, external_tree: bool) -> Result<(Vec<u8>, Vec<u8>)> {
        let info = group
            .group
            .export_group_info(group.of.provider.crypto(), &group.of.signer, !external_tree)
            .map_err(refused("make GroupInfo"))?;
        Ok((bytes(&info)?, tree_if(external_tree, &group.group)?))
    }

    fn epoch_authenticator(&self, group: &Group<P>) -> Result<Vec<u8>> {
        Ok(group.group.epoch_authenticator().as_slice().to_vec())
    }

    fn export(&self, group: &Group<P>, label: &str, context: &[u8], len: usize) -> Result<Vec<u8>> {
        group
            .group
            .export_secret(group.of.provider.crypto(), label, context, len)
            .map_err(refused("export"))
    }

    fn protect(&mut self, group: &mut Group<P>, aad: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        group.group.set_aad(aad.to_vec());
        let message = group
            .group
            .create_message(&group.of.provider, &group.of.signer, data)
            .map_err(refused("protect"))?;
        bytes(&message)
    }

    fn unprotect(&mut self, group: &mut Group<P>, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let got = group
            .group
            .process_message(&group.of.provider, protocol_message(message)?)
            .map_err(refused("unprotect"))?;
        let aad = got.aad().to_vec();
        match got.into_content() {
            ProcessedMessageContent::ApplicationMessage(m) => Ok((aad, m.into_bytes())),
            got => Err(Error::Refused(format!(
                "want application data, got {got:?}"
            ))),
        }
    }

    fn store_psk(&mut self, client: &mut Client<P>, id: &[u8], psk: &[u8]) -> Result<()> {
        client.store_psk(id, psk).map(drop)
    }

    fn store_group_psk(&mut self, group: &mut Group<P>, id: &[u8], psk: &[u8]) -> Result<()> {
        group.of.store_psk(id, psk).map(drop)
    }

    fn propose(&mut self, group: &mut Group<P>, proposal: Proposal) -> Result<Vec<u8>> {
        use openmls::group::Propose;
        let proposal = match proposal {
            Proposal::Add(kp) => Propose::Add(group.of.parse_key_package(&kp)?),
            Proposal::Update => Propose::Update(LeafNodeParameters::default()),
            Proposal::Remove(identity) => Propose::Remove(group.member(&identity)?.u32()),
            Proposal::ExternalPsk(id) => Propose::PreSharedKey(group.external_psk(id)?),
            Proposal::ResumptionPsk(epoch) => Propose::PreSharedKey(group.resumption_psk(epoch)?),
            Proposal::GroupContextExtensions(e) => {
                Propose::GroupContextExtensions(extension_list(&e)?)
            }
            Proposal::AddExternalSender(s) => {
                Propose::GroupContextExtensions(group.with_sender(&s)?)
            }
            Proposal::ReInit { .. } => return Err(Error::Unsupported(NO_REINIT)),
        };
        let (message, reference) = group
            .group
            .propose(
                &group.of.provider,
                &group.of.signer,
                proposal,
                ProposalOrRefType::Reference,
            )
            .map_err(refused("propose"))?;
        let message = bytes(&message)?;
        group.own.push((message.clone(), reference));
        Ok(message)
    }

    /// OpenMLS shows the tree of a pending Commit to nobody. If it is to travel
    /// beside the Welcome, the Commit is therefore applied at once, and
    /// `apply_pending` does nothing.
    fn commit(&mut self, group: &mut Group<P>, options: CommitOptions) -> Result<Commit> {
        use openmls::prelude::Proposal as MlsProposal;
        let wanted = group.take_proposals(&options.by_reference)?;
        let mut adds = group.group.pending_proposals().any(|q| {
            matches!(q.proposal(), MlsProposal::Add(_))
                && wanted.contains(q.proposal_reference_ref())
        });

        let mut key_packages = vec![];
        let mut removed = vec![];
        let mut psks = vec![];
        let mut extensions = None;
        for p in options.by_value {
            match p {
                Proposal::Add(kp) => key_packages.push(group.of.parse_key_package(&kp)?),
                Proposal::Remove(identity) => removed.push(group.member(&identity)?),
                Proposal::ExternalPsk(id) => psks.push(group.external_psk(id)?),
                Proposal::ResumptionPsk(epoch) => psks.push(group.resumption_psk(epoch)?),
                Proposal::GroupContextExtensions(e) => extensions = Some(extension_list(&e)?),
                Proposal::AddExternalSender(s) => extensions = Some(group.with_sender(&s)?),
                Proposal::ReInit { .. } => return Err(Error::Unsupported(NO_REINIT)),
                Proposal::Update => {
                    return Err(Error::Refused("no such proposal by value".into()));
                }
            }
        }
        adds |= !key_packages.is_empty();
        let psks = psks
            .into_iter()
            .map(|id| MlsProposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id))));

        let provider = &group.of.provider;
        let mut builder = group
            .group
            .commit_builder()
            .force_self_update(options.force_path)
            .propose_adds(key_packages)
            .propose_removals(removed)
            .add_proposals(psks);
        if let Some(e) = extensions {
            builder = builder
                .propose_group_context_extensions(e)
                .map_err(refused("propose extensions"))?;
        }
        let mut builder = builder
            .load_psks(provider.storage())
            .map_err(refused("load PSKs"))?;
        if adds {
            builder = builder.use_ratchet_tree_extension(!options.external_tree);
        }
        let made = builder
            .build(
                provider.rand(),
                provider.crypto(),
                &group.of.signer,
                // OpenMLS would commit whatever it has seen, while the interface has
                // the caller name it.
                |q| {
                    q.proposal_or_ref_type() == ProposalOrRefType::Proposal
                        || wanted.contains(q.proposal_reference_ref())
                },
            )
            .map_err(refused("commit"))?
            .stage_commit(provider)
            .map_err(refused("stage Commit"))?;
        let welcome = made.to_welcome_msg();
        let commit = bytes(made.commit())?;
        if options.external_tree {
            self.apply_pending(group)?;
            group.applied = true;
        }
        Ok(Commit {
            commit,
            welcome: welcome.map_or(Ok(vec![]), |w| bytes(&w))?,
            tree: tree_if(options.external_tree, &group.group)?,
        })
    }

    fn apply_pending(&mut self, group: &mut Group<P>) -> Result<()> {
        if std::mem::take(&mut group.applied) {
            return Ok(());
        }
        group.own.clear();
        group
            .group
            .merge_pending_commit(&group.of.provider)
            .map_err(refused("apply pending Commit"))
    }

    fn process_commit(
        &mut self,
        group: &mut Group<P>,
        proposals: &[Vec<u8>],
        commit: &[u8],
    ) -> Result<()> {
        group.take_proposals(proposals)?;
        let got = group
            .group
            .process_message(&group.of.provider, protocol_message(commit)?)
            .map_err(refused("process Commit"))?;
        match got.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                group.own.clear();
                group
                    .group
                    .merge_staged_commit(&group.of.provider, *staged)
                    .map_err(refused("apply Commit"))
            }
            got => Err(Error::Refused(format!("want a Commit, got {got:?}"))),
        }
    }

    fn can_reinit(&self) -> Result<()> {
        Err(Error::Unsupported(NO_REINIT))
    }

    fn can_branch(&self) -> Result<()> {
        Err(Error::Unsupported(NO_BRANCH))
    }

    fn close_for_reinit(&mut self, _: Group<P>) -> Result<((), Vec<u8>)> {
        Err(Error::Unsupported(NO_REINIT))
    }

    fn create_reinit(
        &mut self,
        _: (),
        _: &[Vec<u8>],
        _: bool,
        _: bool,
    ) -> Result<(Group<P>, Commit)> {
        Err(Error::Unsupported(NO_REINIT))
    }

    fn join_reinit(&mut self, _: (), _: &[u8], _: &[u8]) -> Result<Group<P>> {
        Err(Error::Unsupported(NO_REINIT))
    }

    fn create_branch(
        &mut self,
        _: &mut Group<P>,
        _: &[u8],
        _: Vec<Extension>,
        _: &[Vec<u8>],
        _: bool,
        _: bool,
    ) -> Result<(Group<P>, Commit)> {
        Err(Error::Unsupported(NO_BRANCH))
    }

    fn join_branch(
        &mut self,
        _: &mut Group<P>,
        _: Client<P>,
        _: &[u8],
        _: &[u8],
    ) -> Result<Group<P>> {
        Err(Error::Unsupported(NO_BRANCH))
    }

    fn new_member_add(
        &mut self,
        group_info: &[u8],
        identity: &[u8],
    ) -> Result<(Client<P>, KeyPackage, Vec<u8>)> {
        let info = parse_group_info(group_info)?;
        let mut client = self.make_client(info.ciphersuite(), identity)?;
        let made = self.key_package(&mut client)?;
        let proposal = JoinProposal::new::<P::Storage>(
            client.parse_key_package(&made.message)?,
            info.group_id().clone(),
            info.epoch(),
            &client.signer,
        )
        .map_err(refused("propose to add oneself"))?;
        Ok((client, made, bytes(&proposal)?))
    }

    fn external_signer(&mut self, suite: u16, identity: &[u8]) -> Result<(Client<P>, Vec<u8>)> {
        let client = self.client(suite, identity)?;
        let credential: Credential = client.credential.credential.clone();
        let sender = ExternalSender::new(client.signer.public().into(), credential);
        let sender = sender.tls_serialize_detached();
        Ok((client, sender.map_err(refused("encode ExternalSender"))?))
    }

    fn external_proposal(
        &mut self,
        signer: &mut Client<P>,
        index: u32,
        group_info: &[u8],
        tree: &[u8],
        proposal: Proposal,
    ) -> Result<Vec<u8>> {
        let info = parse_group_info(group_info)?;
        let (id, epoch) = (info.group_id().clone(), info.epoch());
        let index = SenderExtensionIndex::new(index);
        let message = match proposal {
            Proposal::Add(kp) => {
                let kp = signer.parse_key_package(&kp)?;
                ExternalProposal::new_add::<P>(kp, id, epoch, &signer.signer, index)
                    .map_err(refused("propose"))?
            }
            Proposal::Remove(identity) => {
                let tree = match parse_tree(tree)? {
                    Some(tree) => tree,
                    None => info
                        .extensions()
                        .ratchet_tree()
                        .ok_or_else(|| Error::Refused("want a ratchet tree".into()))?
                        .ratchet_tree()
                        .clone(),
                };
                // A store of its own: what is seen of the group is not kept.
                let scratch = P::default();
                let (group, _) = PublicGroup::from_external(
                    scratch.crypto(),
                    scratch.storage(),
                    tree,
                    info,
                    ProposalStore::new(),
                )
                .map_err(refused("observe group"))?;
                let removed = find(group.members(), &identity)?;
                ExternalProposal::new_remove::<P>(removed, id, epoch, &signer.signer, index)
                    .map_err(refused("propose"))?
            }
            Proposal::GroupContextExtensions(e) => {
                let e = extension_list(&e)?;
                ExternalProposal::new_group_context_extensions::<P>(
                    e,
                    id,
                    epoch,
                    &signer.signer,
                    index,
                )
                .map_err(refused("propose"))?
            }
            _ => {
                return Err(Error::Unsupported(
                    "OpenMLS makes no external proposal but add, remove, groupContextExtensions",
                ));
            }
        };
        bytes(&message)
    }
}

/// Either policy reads both forms: external Commits and proposals are always public.
fn policy(private: bool) -> WireFormatPolicy {
    if private {
        MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY
    } else {
        MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
    }
}

/// The private key, which has no accessor: it comes first in the pair's encoding.
fn private_key(pair: &SignatureKeyPair) -> Result<Vec<u8>> {
    use openmls::prelude::tls_codec::VLBytes;
    let encoded = pair
        .tls_serialize_detached()
        .map_err(refused("encode signature key"))?;
    let (key, _) =
        VLBytes::tls_deserialize_bytes(&encoded).map_err(refused("decode signature key"))?;
    Ok(key.as_slice().to_vec())
}

fn find(
    mut members: impl Iterator<Item = openmls::group::Member>,
    identity: &[u8],
) -> Result<LeafNodeIndex> {
    members
        .find(|m| {
            BasicCredential::try_from(m.credential.clone()).is_ok_and(|c| c.identity() == identity)
        })
        .map(|m| m.index)
        .ok_or_else(|| Error::NotFound(format!("member {:?}", String::from_utf8_lossy(identity))))
}

/// Decodes the extensions from their wire form: the library chooses a variant for
/// each while it reads.
fn extension_list(list: &[Extension]) -> Result<Extensions<GroupContext>> {
    let mut inner = vec![];
    for e in list {
        inner.extend(e.typ.to_be_bytes());
        let data = VLByteSlice(&e.data).tls_serialize_detached();
        inner.extend(data.map_err(refused("encode extension"))?);
    }
    let whole = VLByteSlice(&inner).tls_serialize_detached();
    let whole = whole.map_err(refused("encode extensions"))?;
    Extensions::tls_deserialize_exact_bytes(&whole).map_err(refused("decode extensions"))
}

fn parse(message: &[u8]) -> Result<MlsMessageBodyIn> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(message);
    Ok(message.map_err(refused("decode MLSMessage"))?.extract())
}

fn parse_group_info(message: &[u8]) -> Result<VerifiableGroupInfo> {
    match parse(message)? {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(Error::Refused("want a GroupInfo".into())),
    }
}

fn protocol_message(message: &[u8]) -> Result<ProtocolMessage> {
    match parse(message)? {
        MlsMessageBodyIn::PublicMessage(m) => Ok(m.into()),
        MlsMessageBodyIn::PrivateMessage(m) => Ok(m.into()),
        _ => Err(Error::Refused(
            "want a PublicMessage or PrivateMessage".into(),
        )),
    }
}

fn parse_tree(tree: &[u8]) -> Result<Option<RatchetTreeIn>> {
    if tree.is_empty() {
        return Ok(None);
    }
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree);
    Ok(Some(tree.map_err(refused("decode tree"))?))
}

fn tree_if(wanted: bool, group: &MlsGroup) -> Result<Vec<u8>> {
    if !wanted {
        return Ok(vec![]);
    }
    let tree = group.export_ratchet_tree().tls_serialize_detached();
    tree.map_err(refused("encode tree"))
}

fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>> {
    message.to_bytes().map_err(refused("encode MLSMessage"))
}
