//! The MLS interop client interface over a [`Library`].

use crate::library::{
    Commit, CommitOptions, Error, Extension, ExternalJoin, Library, Proposal, Result,
};
use crate::proto::mls_client_server::{MlsClient, MlsClientServer};
use crate::proto::{self, *};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Large enough for the Welcome of a group of some ten thousand members.
const MAX_MESSAGE: usize = 64 << 20;

/// Serves the library on a listener until the process ends.
pub async fn serve<L: Library>(
    library: L,
    listener: TcpListener,
) -> std::result::Result<(), tonic::transport::Error> {
    let service = MlsClientServer::new(Service(Arc::new(Mutex::new(Peer::new(library)))))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    // Or else each answer waits some 40 ms for an acknowledgement, and so do the times
    // that the caller takes.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming)
        .await
}

/// A library and all that callers have names for.
pub struct Peer<L: Library> {
    library: L,
    held: HashMap<u32, Held<L>>,
    last: u32,
}

/// What a number stands for. All numbers are of one sequence, because StorePSK does
/// not say which kind it means.
enum Held<L: Library> {
    Waiting(L::Client),
    Group(L::Group),
    ReInit(L::ReInit),
    Signer(L::Signer),
}

impl<L: Library> Peer<L> {
    pub fn new(library: L) -> Self {
        Peer {
            library,
            held: HashMap::new(),
            last: 0,
        }
    }

    fn hold(&mut self, what: Held<L>) -> u32 {
        self.last += 1;
        self.held.insert(self.last, what);
        self.last
    }

    fn hold_group(&mut self, group: L::Group) -> Result<(u32, Vec<u8>)> {
        let authenticator = self.library.epoch_authenticator(&group)?;
        Ok((self.hold(Held::Group(group)), authenticator))
    }

    /// Calls f with the library and the group of that number.
    fn with<T>(
        &mut self,
        id: u32,
        f: impl FnOnce(&mut L, &mut L::Group) -> Result<T>,
    ) -> Result<T> {
        match self.held.get_mut(&id) {
            Some(Held::Group(group)) => f(&mut self.library, group),
            _ => Err(Error::NotFound(format!("state_id {id}"))),
        }
    }

    /// Takes out the client that waits under that number. A Welcome that is refused
    /// uses it up, as the libraries' own stores do.
    fn take_waiting(&mut self, id: u32) -> Result<L::Client> {
        match self.held.remove(&id) {
            Some(Held::Waiting(client)) => Ok(client),
            other => {
                self.held.extend(other.map(|o| (id, o)));
                Err(Error::NotFound(format!("transaction_id {id}")))
            }
        }
    }

    fn take_group(&mut self, id: u32) -> Result<L::Group> {
        match self.held.remove(&id) {
            Some(Held::Group(group)) => Ok(group),
            other => {
                self.held.extend(other.map(|o| (id, o)));
                Err(Error::NotFound(format!("state_id {id}")))
            }
        }
    }

    fn take_reinit(&mut self, id: u32) -> Result<L::ReInit> {
        match self.held.remove(&id) {
            Some(Held::ReInit(old)) => Ok(old),
            other => {
                self.held.extend(other.map(|o| (id, o)));
                Err(Error::NotFound(format!("reinit_id {id}")))
            }
        }
    }

    fn propose(&mut self, id: u32, proposal: Proposal) -> Result<ProposalResponse> {
        let proposal = self.with(id, |l, g| l.propose(g, proposal))?;
        Ok(ProposalResponse { proposal })
    }

    fn handled(&mut self, state_id: u32) -> Result<HandleCommitResponse> {
        let epoch_authenticator = self.with(state_id, |l, g| l.epoch_authenticator(g))?;
        Ok(HandleCommitResponse {
            state_id,
            epoch_authenticator,
        })
    }

    fn handled_reinit(&mut self, state_id: u32) -> Result<HandleReInitCommitResponse> {
        let epoch_authenticator = self.with(state_id, |l, g| l.epoch_authenticator(g))?;
        let group = self.take_group(state_id)?;
        let (old, key_package) = self.library.close_for_reinit(group)?;
        Ok(HandleReInitCommitResponse {
            reinit_id: self.hold(Held::ReInit(old)),
            key_package,
            epoch_authenticator,
        })
    }

    fn created(&mut self, group: L::Group, with: Commit) -> Result<CreateSubgroupResponse> {
        let (state_id, epoch_authenticator) = self.hold_group(group)?;
        Ok(CreateSubgroupResponse {
            state_id,
            welcome: with.welcome,
            ratchet_tree: with.tree,
            epoch_authenticator,
        })
    }
}

/// The calls, in the order of the interface.
impl<L: Library> Peer<L> {
    fn name(&mut self, _: NameRequest) -> Result<NameResponse> {
        Ok(NameResponse {
            name: self.library.name(),
        })
    }

    fn supported_ciphersuites(
        &mut self,
        _: SupportedCiphersuitesRequest,
    ) -> Result<SupportedCiphersuitesResponse> {
        Ok(SupportedCiphersuitesResponse {
            ciphersuites: self.library.suites().into_iter().map(u32::from).collect(),
        })
    }

    fn create_group(&mut self, r: CreateGroupRequest) -> Result<CreateGroupResponse> {
        let client = self.library.client(suite(r.cipher_suite)?, &r.identity)?;
        let group = self
            .library
            .create(client, &r.group_id, r.encrypt_handshake)?;
        Ok(CreateGroupResponse {
            state_id: self.hold(Held::Group(group)),
        })
    }

    fn create_key_package(
        &mut self,
        r: CreateKeyPackageRequest,
    ) -> Result<CreateKeyPackageResponse> {
        let mut client = self.library.client(suite(r.cipher_suite)?, &r.identity)?;
        let made = self.library.key_package(&mut client)?;
        Ok(CreateKeyPackageResponse {
            transaction_id: self.hold(Held::Waiting(client)),
            key_package: made.message,
            init_priv: made.init,
            encryption_priv: made.encryption,
            signature_priv: made.signature,
        })
    }

    fn join_group(&mut self, r: JoinGroupRequest) -> Result<JoinGroupResponse> {
        let client = self.take_waiting(r.transaction_id)?;
        let group = self
            .library
            .join(client, &r.welcome, &r.ratchet_tree, r.encrypt_handshake)?;
        let (state_id, epoch_authenticator) = self.hold_group(group)?;
        Ok(JoinGroupResponse {
            state_id,
            epoch_authenticator,
        })
    }

    fn external_join(&mut self, r: ExternalJoinRequest) -> Result<ExternalJoinResponse> {
        let psks = r.psks.into_iter().map(|p| (p.psk_id, p.psk_secret));
        let (group, commit) = self.library.external_join(ExternalJoin {
            group_info: &r.group_info,
            tree: &r.ratchet_tree,
            identity: &r.identity,
            private: r.encrypt_handshake,
            remove_prior: r.remove_prior,
            psks: psks.collect(),
        })?;
        let (state_id, epoch_authenticator) = self.hold_group(group)?;
        Ok(ExternalJoinResponse {
            state_id,
            commit,
            epoch_authenticator,
        })
    }

    fn group_info(&mut self, r: GroupInfoRequest) -> Result<GroupInfoResponse> {
        let (group_info, ratchet_tree) =
            self.with(r.state_id, |l, g| l.group_info(g, r.external_tree))?;
        Ok(GroupInfoResponse {
            group_info,
            ratchet_tree,
        })
    }

    fn state_auth(&mut self, r: StateAuthRequest) -> Result<StateAuthResponse> {
        let state_auth_secret = self.with(r.state_id, |l, g| l.epoch_authenticator(g))?;
        Ok(StateAuthResponse { state_auth_secret })
    }

    fn export(&mut self, r: ExportRequest) -> Result<ExportResponse> {
        let exported_secret = self.with(r.state_id, |l, g| {
            l.export(g, &r.label, &r.context, r.key_length as usize)
        })?;
        Ok(ExportResponse { exported_secret })
    }

    fn protect(&mut self, r: ProtectRequest) -> Result<ProtectResponse> {
        let ciphertext = self.with(r.state_id, |l, g| {
            l.protect(g, &r.authenticated_data, &r.plaintext)
        })?;
        Ok(ProtectResponse { ciphertext })
    }

    fn unprotect(&mut self, r: UnprotectRequest) -> Result<UnprotectResponse> {
        let (authenticated_data, plaintext) =
            self.with(r.state_id, |l, g| l.unprotect(g, &r.ciphertext))?;
        Ok(UnprotectResponse {
            authenticated_data,
            plaintext,
        })
    }

    fn store_psk(&mut self, r: StorePskRequest) -> Result<StorePskResponse> {
        let id = r.state_or_transaction_id;
        match self.held.get_mut(&id) {
            Some(Held::Waiting(c)) => self.library.store_psk(c, &r.psk_id, &r.psk_secret)?,
            Some(Held::Group(g)) => self.library.store_group_psk(g, &r.psk_id, &r.psk_secret)?,
            _ => return Err(Error::NotFound(format!("state or transaction {id}"))),
        }
        Ok(StorePskResponse {})
    }

    fn add_proposal(&mut self, r: AddProposalRequest) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::Add(r.key_package))
    }

    fn update_proposal(&mut self, r: UpdateProposalRequest) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::Update)
    }

    fn remove_proposal(&mut self, r: RemoveProposalRequest) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::Remove(r.removed_id))
    }

    fn external_psk_proposal(&mut self, r: ExternalPskProposalRequest) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::ExternalPsk(r.psk_id))
    }

    fn resumption_psk_proposal(
        &mut self,
        r: ResumptionPskProposalRequest,
    ) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::ResumptionPsk(r.epoch_id))
    }

    fn group_context_extensions_proposal(
        &mut self,
        r: GroupContextExtensionsProposalRequest,
    ) -> Result<ProposalResponse> {
        let extensions = extensions(r.extensions)?;
        self.propose(r.state_id, Proposal::GroupContextExtensions(extensions))
    }

    fn commit(&mut self, r: CommitRequest) -> Result<CommitResponse> {
        let options = CommitOptions {
            by_reference: r.by_reference,
            by_value: r
                .by_value
                .into_iter()
                .map(described)
                .collect::<Result<_>>()?,
            force_path: r.force_path,
            external_tree: r.external_tree,
        };
        let made = self.with(r.state_id, |l, g| l.commit(g, options))?;
        Ok(CommitResponse {
            commit: made.commit,
            welcome: made.welcome,
            ratchet_tree: made.tree,
        })
    }

    fn handle_commit(&mut self, r: HandleCommitRequest) -> Result<HandleCommitResponse> {
        self.with(r.state_id, |l, g| {
            l.process_commit(g, &r.proposal, &r.commit)
        })?;
        self.handled(r.state_id)
    }

    fn handle_pending_commit(
        &mut self,
        r: HandlePendingCommitRequest,
    ) -> Result<HandleCommitResponse> {
        self.with(r.state_id, |l, g| l.apply_pending(g))?;
        self.handled(r.state_id)
    }

    fn re_init_proposal(&mut self, r: ReInitProposalRequest) -> Result<ProposalResponse> {
        self.library.can_reinit()?;
        let proposal = Proposal::ReInit {
            group_id: r.group_id,
            suite: suite(r.cipher_suite)?,
            extensions: extensions(r.extensions)?,
        };
        self.propose(r.state_id, proposal)
    }

    fn re_init_commit(&mut self, r: CommitRequest) -> Result<CommitResponse> {
        self.library.can_reinit()?;
        self.commit(r)
    }

    fn handle_pending_re_init_commit(
        &mut self,
        r: HandlePendingCommitRequest,
    ) -> Result<HandleReInitCommitResponse> {
        self.library.can_reinit()?;
        self.with(r.state_id, |l, g| l.apply_pending(g))?;
        self.handled_reinit(r.state_id)
    }

    fn handle_re_init_commit(
        &mut self,
        r: HandleCommitRequest,
    ) -> Result<HandleReInitCommitResponse> {
        self.library.can_reinit()?;
        self.with(r.state_id, |l, g| {
            l.process_commit(g, &r.proposal, &r.commit)
        })?;
        self.handled_reinit(r.state_id)
    }

    fn re_init_welcome(&mut self, r: ReInitWelcomeRequest) -> Result<CreateSubgroupResponse> {
        self.library.can_reinit()?;
        let old = self.take_reinit(r.reinit_id)?;
        let (group, with) =
            self.library
                .create_reinit(old, &r.key_package, r.force_path, r.external_tree)?;
        self.created(group, with)
    }

    fn handle_re_init_welcome(
        &mut self,
        r: HandleReInitWelcomeRequest,
    ) -> Result<JoinGroupResponse> {
        self.library.can_reinit()?;
        let old = self.take_reinit(r.reinit_id)?;
        let group = self.library.join_reinit(old, &r.welcome, &r.ratchet_tree)?;
        let (state_id, epoch_authenticator) = self.hold_group(group)?;
        Ok(JoinGroupResponse {
            state_id,
            epoch_authenticator,
        })
    }

    fn create_branch(&mut self, r: CreateBranchRequest) -> Result<CreateSubgroupResponse> {
        self.library.can_branch()?;
        let extensions = extensions(r.extensions)?;
        let (group, with) = self.with(r.state_id, |l, g| {
            l.create_branch(
                g,
                &r.group_id,
                extensions,
                &r.key_packages,
                r.force_path,
                r.external_tree,
            )
        })?;
        self.created(group, with)
    }

    fn handle_branch(&mut self, r: HandleBranchRequest) -> Result<HandleBranchResponse> {
        self.library.can_branch()?;
        let client = self.take_waiting(r.transaction_id)?;
        let group = self.with(r.state_id, |l, g| {
            l.join_branch(g, client, &r.welcome, &r.ratchet_tree)
        })?;
        let (state_id, epoch_authenticator) = self.hold_group(group)?;
        Ok(HandleBranchResponse {
            state_id,
            epoch_authenticator,
        })
    }

    fn new_member_add_proposal(
        &mut self,
        r: NewMemberAddProposalRequest,
    ) -> Result<NewMemberAddProposalResponse> {
        let (client, made, proposal) = self.library.new_member_add(&r.group_info, &r.identity)?;
        Ok(NewMemberAddProposalResponse {
            transaction_id: self.hold(Held::Waiting(client)),
            proposal,
            init_priv: made.init,
            encryption_priv: made.encryption,
            signature_priv: made.signature,
        })
    }

    fn create_external_signer(
        &mut self,
        r: CreateExternalSignerRequest,
    ) -> Result<CreateExternalSignerResponse> {
        let (signer, external_sender) = self
            .library
            .external_signer(suite(r.cipher_suite)?, &r.identity)?;
        Ok(CreateExternalSignerResponse {
            signer_id: self.hold(Held::Signer(signer)),
            external_sender,
        })
    }

    fn add_external_signer(&mut self, r: AddExternalSignerRequest) -> Result<ProposalResponse> {
        self.propose(r.state_id, Proposal::AddExternalSender(r.external_sender))
    }

    fn external_signer_proposal(
        &mut self,
        r: ExternalSignerProposalRequest,
    ) -> Result<ProposalResponse> {
        let what = r
            .description
            .ok_or_else(|| Error::Refused("want a description of the proposal".into()))?;
        let what = described(what)?;
        let Some(Held::Signer(signer)) = self.held.get_mut(&r.signer_id) else {
            return Err(Error::NotFound(format!("signer_id {}", r.signer_id)));
        };
        let (info, tree) = (&r.group_info, &r.ratchet_tree);
        let proposal = self
            .library
            .external_proposal(signer, r.signer_index, info, tree, what)?;
        Ok(ProposalResponse { proposal })
    }

    /// Frees a number. That of what was used up is free already: callers need not know
    /// which of theirs are.
    fn free(&mut self, r: FreeRequest) -> Result<FreeResponse> {
        self.held.remove(&r.state_id);
        if r.state_id == 0 || r.state_id > self.last {
            return Err(Error::NotFound(format!("state_id {}", r.state_id)));
        }
        Ok(FreeResponse {})
    }
}

fn suite(number: u32) -> Result<u16> {
    u16::try_from(number)
        .map_err(|_| Error::Refused(format!("cipher suite {number} is larger than 16 bits")))
}

fn extensions(list: Vec<proto::Extension>) -> Result<Vec<Extension>> {
    list.into_iter()
        .map(|e| {
            let typ = u16::try_from(e.extension_type);
            Ok(Extension {
                typ: typ.map_err(|_| Error::Refused("extension type over 16 bits".into()))?,
                data: e.extension_data,
            })
        })
        .collect()
}

fn described(d: ProposalDescription) -> Result<Proposal> {
    Ok(match &d.proposal_type[..] {
        b"add" => Proposal::Add(d.key_package),
        b"remove" => Proposal::Remove(d.removed_id),
        b"externalPSK" => Proposal::ExternalPsk(d.psk_id),
        b"resumptionPSK" => Proposal::ResumptionPsk(d.epoch_id),
        b"groupContextExtensions" => Proposal::GroupContextExtensions(extensions(d.extensions)?),
        b"reinit" => Proposal::ReInit {
            group_id: d.group_id,
            suite: suite(d.cipher_suite)?,
            extensions: extensions(d.extensions)?,
        },
        other => {
            let name = String::from_utf8_lossy(other);
            return Err(Error::Refused(format!("unknown proposal type {name:?}")));
        }
    })
}

/// The gRPC side: one call at a time.
struct Service<L: Library>(Arc<Mutex<Peer<L>>>);

impl<L: Library> Service<L> {
    /// A panic of a library is a finding about that library, so it becomes an answer
    /// and the peer lives on. The state it was in is not to be trusted after that.
    fn call<T>(
        &self,
        f: impl FnOnce(&mut Peer<L>) -> Result<T>,
    ) -> std::result::Result<Response<T>, Status> {
        let mut peer = match self.0.lock() {
            Ok(peer) => peer,
            Err(poisoned) => poisoned.into_inner(),
        };
        match catch_unwind(AssertUnwindSafe(|| f(&mut peer))) {
            Ok(Ok(response)) => Ok(Response::new(response)),
            Ok(Err(e)) => Err(match &e {
                Error::Unsupported(_) => Status::unimplemented(e.to_string()),
                Error::Refused(_) => Status::aborted(e.to_string()),
                Error::NotFound(_) => Status::not_found(e.to_string()),
            }),
            Err(_) => Err(Status::internal("the library panicked")),
        }
    }
}

macro_rules! calls {
    ($($name:ident: $request:ident => $response:ident,)*) => {
        #[tonic::async_trait]
        impl<L: Library> MlsClient for Service<L> {
            $(async fn $name(
                &self,
                r: Request<$request>,
            ) -> std::result::Result<Response<$response>, Status> {
                self.call(|peer| peer.$name(r.into_inner()))
            })*
        }
    };
}

calls! {
    name: NameRequest => NameResponse,
    supported_ciphersuites: SupportedCiphersuitesRequest => SupportedCiphersuitesResponse,
    create_group: CreateGroupRequest => CreateGroupResponse,
    create_key_package: CreateKeyPackageRequest => CreateKeyPackageResponse,
    join_group: JoinGroupRequest => JoinGroupResponse,
    external_join: ExternalJoinRequest => ExternalJoinResponse,
    group_info: GroupInfoRequest => GroupInfoResponse,
    state_auth: StateAuthRequest => StateAuthResponse,
    export: ExportRequest => ExportResponse,
    protect: ProtectRequest => ProtectResponse,
    unprotect: UnprotectRequest => UnprotectResponse,
    store_psk: StorePskRequest => StorePskResponse,
    add_proposal: AddProposalRequest => ProposalResponse,
    update_proposal: UpdateProposalRequest => ProposalResponse,
    remove_proposal: RemoveProposalRequest => ProposalResponse,
    external_psk_proposal: ExternalPskProposalRequest => ProposalResponse,
    resumption_psk_proposal: ResumptionPskProposalRequest => ProposalResponse,
    group_context_extensions_proposal: GroupContextExtensionsProposalRequest => ProposalResponse,
    commit: CommitRequest => CommitResponse,
    handle_commit: HandleCommitRequest => HandleCommitResponse,
    handle_pending_commit: HandlePendingCommitRequest => HandleCommitResponse,
    re_init_proposal: ReInitProposalRequest => ProposalResponse,
    re_init_commit: CommitRequest => CommitResponse,
    handle_pending_re_init_commit: HandlePendingCommitRequest => HandleReInitCommitResponse,
    handle_re_init_commit: HandleCommitRequest => HandleReInitCommitResponse,
    re_init_welcome: ReInitWelcomeRequest => CreateSubgroupResponse,
    handle_re_init_welcome: HandleReInitWelcomeRequest => JoinGroupResponse,
    create_branch: CreateBranchRequest => CreateSubgroupResponse,
    handle_branch: HandleBranchRequest => HandleBranchResponse,
    new_member_add_proposal: NewMemberAddProposalRequest => NewMemberAddProposalResponse,
    create_external_signer: CreateExternalSignerRequest => CreateExternalSignerResponse,
    add_external_signer: AddExternalSignerRequest => ProposalResponse,
    external_signer_proposal: ExternalSignerProposalRequest => ProposalResponse,
    free: FreeRequest => FreeResponse,
}
