package mls

import (
	"errors"
	"fmt"
)

// Check is one rule that a message, or a call that would make one, has to keep.
// Its value is the section of RFC 9420 that states the rule and the rule's place
// in it, "ext" and a name for draft-ietf-mls-extensions-10, or "local" and a name for
// a limit that [Config] sets. The same identifier
// stands in the comment where the rule is checked, in the error and in the test
// that breaks the rule.
//
// A Check is an error, so that errors.Is(err, CheckLeafSignature) asks which rule
// it was.
type Check string

// Error implements error.
func (c Check) Error() string { return "check " + string(c) }

// The checks. README.md of this package lists them with their tests.
const (
	// Keys and credentials (Sections 5.1.1, 5.3.1).
	CheckKey                Check = "5.1.1-1" // keys are keys of the suite: of its length, and such that one can encrypt to them
	CheckExternalCredential Check = "5.3.1-1" // the credentials of external senders are valid

	// Message framing (Section 6).
	CheckGroup       Check = "6-1" // group_id is the group's
	CheckEpoch       Check = "6-2" // epoch is the current one; for an application message one that is kept
	CheckApplication Check = "6-3" // application data comes in a PrivateMessage from a member
	// 6-4, that others than members send PublicMessages, holds by the types.
	CheckSenderMember  Check = "6-5"   // a member sender is a leaf of the tree
	CheckSenderContent Check = "6-6"   // new_member_commit sends a commit, new_member_proposal and external a proposal
	CheckSignature     Check = "6.1-1" // the signature on the FramedContent
	CheckConfirmation  Check = "6.1-2" // the confirmation tag
	CheckMembership    Check = "6.2-1" // the membership tag
	CheckDecrypt       Check = "6.3-1" // the PrivateMessage decrypts
	CheckGeneration    Check = "6.3-2" // its key was not used and is within the window

	// Leaf nodes (Section 7.2, 7.3).
	CheckCapabilitiesOwn  Check = "7.2-1"  // capabilities list the leaf's own credential type
	CheckLifetimeRange    Check = "7.2-2"  // the lifetime is no longer than the application allows
	CheckLeafCredential   Check = "7.3-1"  // the credential is valid
	CheckLeafSignature    Check = "7.3-2"  // the leaf's signature
	CheckLeafRequired     Check = "7.3-3"  // required_capabilities are supported
	CheckLeafCredentials  Check = "7.3-4"  // all members support the leaf's credential type, and it theirs
	CheckLeafLifetime     Check = "7.3-5"  // now is within the lifetime
	CheckLeafExtensions   Check = "7.3-6"  // the leaf's extensions are in its capabilities
	CheckLeafSource       Check = "7.3-7"  // leaf_node_source fits where the leaf appears
	CheckLeafUpdated      Check = "7.3-8"  // an Update has another encryption_key than the leaf it replaces
	CheckLeafSignatureKey Check = "7.3-9"  // signature_key is unique among members
	CheckLeafKey          Check = "7.3-10" // encryption_key is unique in the tree

	// Update paths and parent hashes (Section 7.5, 7.9).
	CheckPathDecrypt Check = "7.5-1"   // the path secret decrypts, and the keys derived are those sent
	CheckParentHash  Check = "7.9.2-1" // parent hashes are valid

	// Pre-shared keys (Section 8.4, 12.1.4).
	CheckPSKNonce     Check = "8.4-1"    // psk_nonce has the hash's size
	CheckPSKAvailable Check = "8.4-2"    // the pre-shared key is known
	CheckPSKReInit    Check = "12.1.4-1" // usage reinit only when a group is reinitialised
	CheckPSKBranch    Check = "12.1.4-2" // usage branch only when a group branches

	// KeyPackages (Section 10.1).
	CheckKeyPackageSuite      Check = "10.1-1" // version and cipher suite are the group's
	CheckKeyPackageSignature  Check = "10.1-2" // the KeyPackage's signature
	CheckKeyPackageInitKey    Check = "10.1-3" // init_key differs from encryption_key
	CheckKeyPackageExtensions Check = "10-1"   // the KeyPackage's extensions are in its leaf's capabilities

	// Group creation (Section 11).
	CheckLeafSuite        Check = "11.1-1" // members support the group's version and cipher suite
	CheckRequired         Check = "11.1-2" // required_capabilities are supported by all members
	CheckReInitParameters Check = "11.2-1" // the new group is as the ReInit says
	CheckReInitEpoch      Check = "11.2-2" // its epoch is 1
	CheckReInitMembers    Check = "11.2-3" // all old members are members of the new group
	CheckBranchParameters Check = "11.3-1" // the subgroup has the version and suite of the group
	CheckBranchEpoch      Check = "11.3-2" // its epoch is 1
	CheckBranchMembers    Check = "11.3-3" // its members are members of the group

	// Proposals (Section 12.1).
	CheckRemoved        Check = "12.1.3-1" // removed is a member
	CheckReInitVersion  Check = "12.1.5-1" // the version is not lower than the group's
	CheckExternalType   Check = "12.1.8-1" // external senders may send this type
	CheckExternalSender Check = "12.1.8-2" // external_senders has such a sender
	CheckNewMemberAdd   Check = "12.1.8-3" // new_member_proposal sends an Add of its signer

	// Proposal lists (Section 12.2).
	CheckListUpdateOwn    Check = "12.2-1"  // no Update of the committer
	CheckListRemoveOwn    Check = "12.2-2"  // no Remove of the committer
	CheckListLeafTwice    Check = "12.2-3"  // one Update or Remove per leaf
	CheckListAddTwice     Check = "12.2-4"  // no two Adds of one client
	CheckListAddMember    Check = "12.2-5"  // no Add of a client who is in the group and stays
	CheckListPSKTwice     Check = "12.2-6"  // no PreSharedKeyID twice
	CheckListExtensions   Check = "12.2-7"  // one GroupContextExtensions
	CheckListReInitAlone  Check = "12.2-8"  // a ReInit comes alone
	CheckListExternalInit Check = "12.2-9"  // no ExternalInit in a member's Commit
	CheckListSupported    Check = "12.2-10" // members support the proposal types
	CheckListExternal     Check = "12.2-11" // an external Commit has one ExternalInit, at most one Remove, and PSKs
	CheckListApplication  Check = "12.2-12" // the application allows the list
	CheckListUpdateSender Check = "12.2-13" // an Update is sent by reference, by the member it updates

	// Commits (Section 12.4).
	CheckReference       Check = "12.4-1"     // a proposal referred to is known
	CheckPathRequired    Check = "12.4-2"     // the path is there if it must be
	CheckPathShape       Check = "12.4.2-1"   // the path has the nodes and ciphertexts that the tree asks for
	CheckPathLeafKey     Check = "12.4.2-2"   // its leaf has another encryption_key than the committer's leaf so far
	CheckPathKeys        Check = "12.4.2-3"   // its keys are new to the tree and to each other
	CheckReInitClosed    Check = "12.4.2-4"   // a reinitialised group is not used any more
	CheckExternalPath    Check = "12.4.3.2-1" // an external Commit has a path
	CheckExternalByValue Check = "12.4.3.2-2" // and no proposals by reference
	CheckExternalPub     Check = "12.4.3.2-3" // the GroupInfo has an external_pub

	// Welcome (Section 12.4.3, 12.4.3.1).
	CheckWelcomeFor        Check = "12.4.3.1-1"  // the Welcome is for one of the KeyPackages
	CheckWelcomeSuite      Check = "12.4.3.1-2"  // its suite is the KeyPackage's
	CheckWelcomeSecrets    Check = "12.4.3.1-3"  // GroupSecrets decrypt
	CheckWelcomePSK        Check = "12.4.3.1-4"  // at most one PSK of usage reinit or branch
	CheckGroupInfo         Check = "12.4.3.1-5"  // the GroupInfo decrypts
	CheckGroupInfoSigner   Check = "12.4.3.1-6"  // its signer is a member, the signature is right
	CheckGroupUnique       Check = "12.4.3.1-7"  // the group is new to the client
	CheckTreePresent       Check = "12.4.3.1-8"  // there is a ratchet tree
	CheckTreeHash          Check = "12.4.3.1-9"  // with the hash of the GroupContext
	CheckTreeShape         Check = "12.4.3.1-10" // and is well-formed, unmerged leaves among it
	CheckWelcomeLeaf       Check = "12.4.3.1-11" // the client's leaf is in the tree
	CheckWelcomePath       Check = "12.4.3.1-12" // the path secret derives the tree's keys
	CheckContextExtensions Check = "12.4.3-1"    // the joiner supports the GroupContext's extensions
	CheckGroupInfoEpoch    Check = "12.4.3-2"    // a GroupInfo that comes with a Commit is of the epoch that it begins

	// Extensibility (Section 13).
	CheckExtensionTwice Check = "13.4-1" // an extension type occurs once in a list

	// draft-ietf-mls-extensions-10.
	CheckSelfRemove         Check = "ext-self-remove-1"    // a SelfRemove is a member's, in a PublicMessage, and committed by reference
	CheckSelfRemoveTwice    Check = "ext-self-remove-2"    // a member sends one SelfRemove in an epoch
	CheckAppDataUnknown     Check = "ext-app-data-1"       // the component is known
	CheckAppDataList        Check = "ext-app-data-2"       // one remove or only updates per component
	CheckAppDataRemove      Check = "ext-app-data-3"       // what is removed is there
	CheckAppDataRejected    Check = "ext-app-data-4"       // the component accepts the update
	CheckAppDataExtensions  Check = "ext-app-data-5"       // GroupContextExtensions leaves app_data_dictionary alone where AppDataUpdate is required
	CheckAppEphemeral       Check = "ext-app-ephemeral-1"  // the component is known and accepts the data
	CheckSafeAAD            Check = "ext-safe-aad-1"       // authenticated_data is a SafeAAD, sorted, where safe_aad is in use
	CheckDictionary         Check = "ext-dictionary-1"     // an app_data_dictionary is sorted, each component once
	CheckWireFormats        Check = "ext-wire-formats-1"   // members support the required wire formats
	CheckAppComponents      Check = "ext-app-components-1" // members support the required components
	CheckSafeAADComponents  Check = "ext-safe-aad-2"       // members support the components that are required in safe_aad
	CheckMediaTypes         Check = "ext-content-1"        // members support the required media types, of which there is one at least
	CheckApplicationFraming Check = "ext-content-2"        // application data is framed with its media type where content_media_types is in use

	// What a client is configured to bear.
	CheckProposalLimit Check = "local-proposals-1" // the proposals of one sender that wait for a Commit are within the limits of the Config
)

// Error says which check failed and how.
type Error struct {
	Check Check
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("mls: %v (%s)", e.Err, e.Check.Error()) }

// Unwrap returns the check and the cause.
func (e *Error) Unwrap() []error { return []error{e.Check, e.Err} }

// fail returns an [*Error].
func fail(c Check, format string, a ...any) error {
	return &Error{c, fmt.Errorf(format, a...)}
}

// wanting is the error of a call that was given nothing for what it needs. It is easily
// done: a [message.Message] has only the field of its wire format.
func wanting(want string) error { return fmt.Errorf("mls: got nil, want %s", want) }

// What callers branch on, besides checks.
var (
	// ErrRemoved: the client is not a member any more.
	ErrRemoved = errors.New("mls: this client was removed from the group")
	// ErrOwnMessage: the client's own message came back. A Commit of one's own is
	// merged when it is known to be accepted.
	ErrOwnMessage = errors.New("mls: message of this client's own")
	// ErrEncrypted: a PrivateMessage came to a PublicGroup. Whether it is application
	// data or not, its content is for members only.
	ErrEncrypted = errors.New("mls: a PrivateMessage, want a PublicMessage: only members can open others")
	// ErrDuplicate: the proposal was received before in this epoch.
	ErrDuplicate = errors.New("mls: proposal was received before")
	// ErrStale: a staged commit no longer starts from the group's state, or was staged
	// without this member's secrets.
	ErrStale = errors.New("mls: staged for another epoch or by another group")
	// ErrProposalsPending: application data may not be sent while proposals wait
	// for a Commit (Section 12.4).
	ErrProposalsPending = errors.New("mls: proposals wait for a Commit")
)
