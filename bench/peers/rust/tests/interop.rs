//! Conversations over gRPC between peers of this crate: each library with itself
//! and with the other. Every step ends with all members agreeing on the epoch
//! authenticator.

use mls_peer::library::Library;
use mls_peer::mlsrs::MlsRs;
use mls_peer::openmls::{Memory, OpenMls};
use mls_peer::proto::mls_client_client::MlsClientClient;
use mls_peer::proto::*;
use mls_peer::service::serve;
use mls_rs_crypto_awslc::AwsLcCryptoProvider;
use openmls_rust_crypto::OpenMlsRustCrypto;
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Channel;

type Peer = MlsClientClient<Channel>;

const SUITE: u32 = 1;

/// A client in the group, and the peer that holds it.
struct Member {
    peer: Peer,
    state: u32,
    name: &'static str,
}

async fn start<L: Library>(library: L) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(library, listener));
    let address = format!("http://{address}");
    MlsClientClient::connect(address).await.unwrap()
}

async fn openmls() -> Peer {
    let memory = Memory {
        past_epochs: 32,
        resumption_psks: 32,
    };
    start(OpenMls::<OpenMlsRustCrypto>::new("RustCrypto", memory)).await
}

async fn mlsrs() -> Peer {
    start(MlsRs::<AwsLcCryptoProvider>::new("AWS-LC")).await
}

/// A group and the steps that all members take together.
struct Group {
    members: Vec<Member>,
    private: bool,
}

impl Group {
    async fn create(mut peer: Peer, name: &'static str, private: bool) -> Self {
        let request = CreateGroupRequest {
            group_id: b"group".to_vec(),
            cipher_suite: SUITE,
            encrypt_handshake: private,
            identity: name.into(),
        };
        let state = peer
            .create_group(request)
            .await
            .unwrap()
            .into_inner()
            .state_id;
        let members = vec![Member { peer, state, name }];
        Group { members, private }
    }

    /// Checks that all agree.
    async fn agree(&mut self) {
        let mut seen = vec![];
        for m in &mut self.members {
            let request = StateAuthRequest { state_id: m.state };
            let answer = m.peer.state_auth(request).await.unwrap().into_inner();
            assert!(!answer.state_auth_secret.is_empty(), "{}", m.name);
            seen.push(answer.state_auth_secret);
        }
        for (m, secret) in self.members.iter().zip(&seen) {
            assert_eq!(
                secret, &seen[0],
                "{} differs from {}",
                m.name, self.members[0].name
            );
        }
    }

    /// Has member `by` commit and all others, except those `gone`, follow. Returns
    /// what the Commit call returned.
    async fn commit(
        &mut self,
        by: usize,
        mut request: CommitRequest,
        gone: &[&str],
    ) -> CommitResponse {
        let proposals = request.by_reference.clone();
        let m = &mut self.members[by];
        request.state_id = m.state;
        let made = m.peer.commit(request).await.unwrap().into_inner();
        let pending = HandlePendingCommitRequest { state_id: m.state };
        m.state = m
            .peer
            .handle_pending_commit(pending)
            .await
            .unwrap()
            .into_inner()
            .state_id;
        self.members.retain(|m| !gone.contains(&m.name));
        let by = by.min(self.members.len() - 1);
        for (i, m) in self.members.iter_mut().enumerate() {
            if i == by {
                continue;
            }
            let request = HandleCommitRequest {
                state_id: m.state,
                proposal: proposals.clone(),
                commit: made.commit.clone(),
            };
            m.state = m
                .peer
                .handle_commit(request)
                .await
                .unwrap()
                .into_inner()
                .state_id;
        }
        made
    }

    async fn join(
        &mut self,
        mut peer: Peer,
        name: &'static str,
        transaction_id: u32,
        with: &CommitResponse,
    ) {
        let request = JoinGroupRequest {
            transaction_id,
            welcome: with.welcome.clone(),
            encrypt_handshake: self.private,
            identity: name.into(),
            ratchet_tree: with.ratchet_tree.clone(),
        };
        let state = peer
            .join_group(request)
            .await
            .unwrap()
            .into_inner()
            .state_id;
        self.members.push(Member { peer, state, name });
    }

    /// Each sends to each.
    async fn talk(&mut self) {
        for from in 0..self.members.len() {
            let m = &mut self.members[from];
            let request = ProtectRequest {
                state_id: m.state,
                authenticated_data: b"aad".to_vec(),
                plaintext: m.name.into(),
            };
            let name = m.name;
            let sent = m
                .peer
                .protect(request)
                .await
                .unwrap()
                .into_inner()
                .ciphertext;
            for (to, m) in self.members.iter_mut().enumerate() {
                if to == from {
                    continue;
                }
                let request = UnprotectRequest {
                    state_id: m.state,
                    ciphertext: sent.clone(),
                };
                let got = m.peer.unprotect(request).await.unwrap().into_inner();
                assert_eq!(got.plaintext, name.as_bytes());
                assert_eq!(got.authenticated_data, b"aad");
            }
        }
    }
}

async fn key_package(peer: &mut Peer, name: &str) -> (u32, Vec<u8>) {
    let request = CreateKeyPackageRequest {
        cipher_suite: SUITE,
        identity: name.into(),
    };
    let made = peer.create_key_package(request).await.unwrap().into_inner();
    for key in [&made.init_priv, &made.signature_priv] {
        assert_eq!(key.len(), 32);
    }
    (made.transaction_id, made.key_package)
}

fn add(key_package: Vec<u8>) -> ProposalDescription {
    ProposalDescription {
        proposal_type: b"add".to_vec(),
        key_package,
        ..Default::default()
    }
}

/// The whole conversation: `a` creates, `b` joins by Welcome, and so on.
async fn converse(a: Peer, b: Peer, private: bool) {
    let mut group = Group::create(a.clone(), "alice", private).await;

    // Add by value; the tree is in the Welcome.
    let mut peer = b.clone();
    let (transaction, kp) = key_package(&mut peer, "bob").await;
    let request = CommitRequest {
        by_value: vec![add(kp)],
        ..Default::default()
    };
    let made = group.commit(0, request, &[]).await;
    group.join(peer, "bob", transaction, &made).await;
    group.agree().await;
    group.talk().await;

    // Add by reference, proposed by bob, committed by alice; the tree is beside it.
    let mut peer = a.clone();
    let (transaction, kp) = key_package(&mut peer, "carol").await;
    let bob = &mut group.members[1];
    let request = AddProposalRequest {
        state_id: bob.state,
        key_package: kp,
    };
    let proposal = bob
        .peer
        .add_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        by_reference: vec![proposal],
        external_tree: true,
        force_path: true,
        ..Default::default()
    };
    let made = group.commit(0, request, &[]).await;
    assert!(!made.ratchet_tree.is_empty());
    group.join(peer, "carol", transaction, &made).await;
    group.agree().await;
    group.talk().await;

    // Update by bob, committed by carol, with a proposal of her own.
    let id = b"psk".to_vec();
    for m in &mut group.members {
        let request = StorePskRequest {
            state_or_transaction_id: m.state,
            psk_id: id.clone(),
            psk_secret: vec![7; 32],
        };
        m.peer.store_psk(request).await.unwrap();
    }
    let bob = &mut group.members[1];
    let request = UpdateProposalRequest {
        state_id: bob.state,
    };
    let update = bob
        .peer
        .update_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let carol = &mut group.members[2];
    let request = ExternalPskProposalRequest {
        state_id: carol.state,
        psk_id: id.clone(),
    };
    let psk = carol
        .peer
        .external_psk_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        by_reference: vec![update, psk],
        ..Default::default()
    };
    group.commit(2, request, &[]).await;
    group.agree().await;

    // PSKs by value: an external one, and the resumption PSK of epoch 2, which all
    // three have been in.
    let request = CommitRequest {
        by_value: vec![
            ProposalDescription {
                proposal_type: b"externalPSK".to_vec(),
                psk_id: id.clone(),
                ..Default::default()
            },
            ProposalDescription {
                proposal_type: b"resumptionPSK".to_vec(),
                epoch_id: 2,
                ..Default::default()
            },
        ],
        ..Default::default()
    };
    group.commit(1, request, &[]).await;
    group.agree().await;
    group.talk().await;

    // A proposal that the Commit does not name has no effect.
    let alice = &mut group.members[0];
    let request = RemoveProposalRequest {
        state_id: alice.state,
        removed_id: b"carol".to_vec(),
    };
    alice.peer.remove_proposal(request).await.unwrap();
    let request = CommitRequest {
        force_path: true,
        ..Default::default()
    };
    group.commit(0, request, &[]).await;
    group.agree().await;

    // bob removes carol.
    let bob = &mut group.members[1];
    let request = RemoveProposalRequest {
        state_id: bob.state,
        removed_id: b"carol".to_vec(),
    };
    let remove = bob
        .peer
        .remove_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        by_reference: vec![remove],
        ..Default::default()
    };
    group.commit(0, request, &["carol"]).await;
    assert_eq!(group.members.len(), 2);
    group.agree().await;

    // dave joins by himself, and then again in his own place.
    for (remove_prior, external_tree) in [(false, false), (true, true)] {
        let alice = &mut group.members[0];
        let request = GroupInfoRequest {
            state_id: alice.state,
            external_tree,
        };
        let info = alice.peer.group_info(request).await.unwrap().into_inner();
        assert_eq!(info.ratchet_tree.is_empty(), !external_tree);
        let mut peer = b.clone();
        let request = ExternalJoinRequest {
            group_info: info.group_info,
            ratchet_tree: info.ratchet_tree,
            encrypt_handshake: private,
            identity: b"dave".to_vec(),
            remove_prior,
            psks: vec![PreSharedKey {
                psk_id: id.clone(),
                psk_secret: vec![7; 32],
            }],
        };
        let made = peer.external_join(request).await.unwrap().into_inner();
        group.members.truncate(2);
        for m in &mut group.members {
            let request = HandleCommitRequest {
                state_id: m.state,
                proposal: vec![],
                commit: made.commit.clone(),
            };
            let done = m.peer.handle_commit(request).await.unwrap().into_inner();
            assert_eq!(done.epoch_authenticator, made.epoch_authenticator);
        }
        group.members.push(Member {
            peer,
            state: made.state_id,
            name: "dave",
        });
        group.agree().await;
        group.talk().await;
    }

    // erin asks to be added.
    let alice = &mut group.members[0];
    let request = GroupInfoRequest {
        state_id: alice.state,
        external_tree: false,
    };
    let info = alice.peer.group_info(request).await.unwrap().into_inner();
    let mut peer = b.clone();
    let request = NewMemberAddProposalRequest {
        group_info: info.group_info,
        identity: b"erin".to_vec(),
    };
    let asked = peer
        .new_member_add_proposal(request)
        .await
        .unwrap()
        .into_inner();
    let request = CommitRequest {
        by_reference: vec![asked.proposal],
        ..Default::default()
    };
    let made = group.commit(0, request, &[]).await;
    group.join(peer, "erin", asked.transaction_id, &made).await;
    group.agree().await;

    // A server outside becomes an external sender and removes erin.
    let mut server = b.clone();
    let request = CreateExternalSignerRequest {
        cipher_suite: SUITE,
        identity: b"server".to_vec(),
    };
    let signer = server
        .create_external_signer(request)
        .await
        .unwrap()
        .into_inner();
    let alice = &mut group.members[0];
    let request = AddExternalSignerRequest {
        state_id: alice.state,
        external_sender: signer.external_sender,
    };
    let proposal = alice
        .peer
        .add_external_signer(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        by_reference: vec![proposal],
        ..Default::default()
    };
    group.commit(0, request, &[]).await;
    group.agree().await;
    let alice = &mut group.members[0];
    let request = GroupInfoRequest {
        state_id: alice.state,
        external_tree: true,
    };
    let info = alice.peer.group_info(request).await.unwrap().into_inner();
    let request = ExternalSignerProposalRequest {
        signer_id: signer.signer_id,
        signer_index: 0,
        group_info: info.group_info,
        ratchet_tree: info.ratchet_tree,
        description: Some(ProposalDescription {
            proposal_type: b"remove".to_vec(),
            removed_id: b"erin".to_vec(),
            ..Default::default()
        }),
    };
    let remove = server
        .external_signer_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        by_reference: vec![remove],
        ..Default::default()
    };
    group.commit(1, request, &["erin"]).await;
    group.agree().await;

    // All export the same, and each other label something else.
    let mut exported = vec![];
    for m in &mut group.members {
        for label in ["one", "two"] {
            let request = ExportRequest {
                state_id: m.state,
                label: label.into(),
                context: b"context".to_vec(),
                key_length: 48,
            };
            let secret = m
                .peer
                .export(request)
                .await
                .unwrap()
                .into_inner()
                .exported_secret;
            assert_eq!(secret.len(), 48);
            exported.push(secret);
        }
    }
    assert_ne!(exported[0], exported[1]);
    for pair in exported.chunks(2) {
        assert_eq!(pair, &exported[..2]);
    }

    for m in &mut group.members {
        let request = FreeRequest { state_id: m.state };
        m.peer.free(request).await.unwrap();
        m.peer.free(request).await.unwrap();
        let gone = StateAuthRequest { state_id: m.state };
        let refused = m.peer.state_auth(gone).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        let never = FreeRequest { state_id: u32::MAX };
        let refused = m.peer.free(never).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
}

#[tokio::test]
async fn openmls_with_itself() {
    for private in [false, true] {
        converse(openmls().await, openmls().await, private).await;
    }
}

#[tokio::test]
async fn mlsrs_with_itself() {
    for private in [false, true] {
        converse(mlsrs().await, mlsrs().await, private).await;
    }
}

#[tokio::test]
async fn openmls_with_mlsrs() {
    for private in [false, true] {
        converse(openmls().await, mlsrs().await, private).await;
    }
}

#[tokio::test]
async fn mlsrs_with_openmls() {
    for private in [false, true] {
        converse(mlsrs().await, openmls().await, private).await;
    }
}

/// A pair of members of a new group.
async fn pair(a: Peer, b: Peer) -> Group {
    let mut group = Group::create(a, "alice", false).await;
    let mut peer = b;
    let (transaction, kp) = key_package(&mut peer, "bob").await;
    let request = CommitRequest {
        by_value: vec![add(kp)],
        ..Default::default()
    };
    let made = group.commit(0, request, &[]).await;
    group.join(peer, "bob", transaction, &made).await;
    group
}

#[tokio::test]
async fn mlsrs_reinitializes() {
    let mut group = pair(mlsrs().await, mlsrs().await).await;
    let [alice, bob] = &mut group.members[..] else {
        panic!("want two members");
    };
    let request = ReInitProposalRequest {
        state_id: bob.state,
        cipher_suite: 3,
        group_id: b"new group".to_vec(),
        extensions: vec![],
    };
    let proposal = bob
        .peer
        .re_init_proposal(request)
        .await
        .unwrap()
        .into_inner()
        .proposal;
    let request = CommitRequest {
        state_id: alice.state,
        by_reference: vec![proposal.clone()],
        ..Default::default()
    };
    let commit = alice
        .peer
        .re_init_commit(request)
        .await
        .unwrap()
        .into_inner()
        .commit;
    let request = HandlePendingCommitRequest {
        state_id: alice.state,
    };
    let closed = alice
        .peer
        .handle_pending_re_init_commit(request)
        .await
        .unwrap()
        .into_inner();
    let request = HandleCommitRequest {
        state_id: bob.state,
        proposal: vec![proposal],
        commit,
    };
    let waits = bob
        .peer
        .handle_re_init_commit(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(closed.epoch_authenticator, waits.epoch_authenticator);

    let request = ReInitWelcomeRequest {
        reinit_id: closed.reinit_id,
        key_package: vec![waits.key_package],
        force_path: true,
        external_tree: true,
    };
    let made = alice
        .peer
        .re_init_welcome(request)
        .await
        .unwrap()
        .into_inner();
    let request = HandleReInitWelcomeRequest {
        reinit_id: waits.reinit_id,
        welcome: made.welcome,
        ratchet_tree: made.ratchet_tree,
    };
    let joined = bob
        .peer
        .handle_re_init_welcome(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(joined.epoch_authenticator, made.epoch_authenticator);
    (alice.state, bob.state) = (made.state_id, joined.state_id);
    group.agree().await;
    group.talk().await;
}

#[tokio::test]
async fn mlsrs_branches() {
    let mut group = pair(mlsrs().await, mlsrs().await).await;
    let [alice, bob] = &mut group.members[..] else {
        panic!("want two members");
    };
    let (transaction_id, kp) = key_package(&mut bob.peer, "bob").await;
    let request = CreateBranchRequest {
        state_id: alice.state,
        group_id: b"branch".to_vec(),
        key_packages: vec![kp],
        ..Default::default()
    };
    let made = alice
        .peer
        .create_branch(request)
        .await
        .unwrap()
        .into_inner();
    let request = HandleBranchRequest {
        state_id: bob.state,
        transaction_id,
        welcome: made.welcome,
        ratchet_tree: made.ratchet_tree,
    };
    let joined = bob.peer.handle_branch(request).await.unwrap().into_inner();
    assert_eq!(joined.epoch_authenticator, made.epoch_authenticator);
    assert_ne!(joined.state_id, bob.state);
    // The group it comes from goes on.
    group.talk().await;
    (group.members[0].state, group.members[1].state) = (made.state_id, joined.state_id);
    group.agree().await;
    group.talk().await;
}

/// What the README's table says OpenMLS cannot do is answered with UNIMPLEMENTED.
#[tokio::test]
async fn openmls_says_what_it_cannot_do() {
    let mut group = pair(openmls().await, openmls().await).await;
    let alice = &mut group.members[0];
    let (peer, state_id) = (&mut alice.peer, alice.state);
    let propose = ReInitProposalRequest {
        state_id,
        cipher_suite: SUITE,
        group_id: b"new group".to_vec(),
        extensions: vec![],
    };
    let commit = CommitRequest {
        state_id,
        ..Default::default()
    };
    let pending = HandlePendingCommitRequest { state_id };
    let handle = HandleCommitRequest {
        state_id,
        ..Default::default()
    };
    let branch = CreateBranchRequest {
        state_id,
        ..Default::default()
    };
    let join = HandleBranchRequest {
        state_id,
        ..Default::default()
    };
    let refused = [
        peer.re_init_proposal(propose).await.err(),
        peer.re_init_commit(commit).await.err(),
        peer.handle_pending_re_init_commit(pending).await.err(),
        peer.handle_re_init_commit(handle).await.err(),
        peer.re_init_welcome(ReInitWelcomeRequest::default())
            .await
            .err(),
        peer.handle_re_init_welcome(HandleReInitWelcomeRequest::default())
            .await
            .err(),
        peer.create_branch(branch).await.err(),
        peer.handle_branch(join).await.err(),
    ];
    for (i, status) in refused.into_iter().enumerate() {
        let code = status.map(|s| s.code());
        assert_eq!(code, Some(Code::Unimplemented), "call {i}");
    }
    group.agree().await;
    group.talk().await;
}

/// Bytes that are no message are refused, and the peer lives on.
#[tokio::test]
async fn refuses_what_is_no_message() {
    for peer in [openmls().await, mlsrs().await] {
        let mut group = Group::create(peer, "alice", false).await;
        let alice = &mut group.members[0];
        for commit in [&b""[..], b"\0\x01", b"not a message", &[0xff; 64]] {
            let request = HandleCommitRequest {
                state_id: alice.state,
                proposal: vec![],
                commit: commit.to_vec(),
            };
            let refused = alice.peer.handle_commit(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::Aborted, "{}", refused.message());
        }
        group.agree().await;
    }
}
