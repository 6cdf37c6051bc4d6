package layout

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// version reads the ProtocolVersion of what exists in version mls10 only.
func (d *decoder) version() {
	d.code16("version", versionName, "1 (mls10)", func(v uint16) bool { return v == uint16(message.MLS10) })
}

// anyVersion reads the ProtocolVersion of what validation may refuse.
func (d *decoder) anyVersion() {
	d.code16("version", versionName, "uint16", func(v uint16) bool { return !d.known || v == uint16(message.MLS10) })
}

func (d *decoder) suite() { d.suiteField("cipher_suite") }

func (d *decoder) suiteField(name string) {
	d.code16(name, suiteName, "uint16", func(v uint16) bool { return !d.known || suite.ID(v).Known() })
}

// mlsMessage reads an MLSMessage (RFC 9420, Section 6).
func (d *decoder) mlsMessage() {
	d.version()
	known := func(v uint16) bool { return v >= 1 && v <= 5 }
	switch message.WireFormat(d.code16("wire_format", wireFormatName, "1 to 5", known)) {
	case message.WirePublicMessage:
		d.group("public_message", d.publicMessage)
	case message.WirePrivateMessage:
		d.group("private_message", d.privateMessage)
	case message.WireWelcome:
		d.group("welcome", d.welcome)
	case message.WireGroupInfo:
		d.group("group_info", d.groupInfo)
	case message.WireKeyPackage:
		d.group("key_package", d.keyPackage)
	}
}

// publicMessage reads a PublicMessage (RFC 9420, Section 6.2), and in it a
// FramedContent (Section 6) and a FramedContentAuthData (Section 6.1).
func (d *decoder) publicMessage() {
	var sender message.SenderType
	var content message.ContentType
	d.group("content", func() {
		d.text("group_id")
		d.uint64("epoch")
		d.group("sender", func() { sender = d.sender() })
		d.text("authenticated_data")
		content = d.contentType()
		switch content {
		case message.ContentApplication:
			d.text("application_data")
		case message.ContentProposal:
			d.group("proposal", d.proposal)
		case message.ContentCommit:
			d.group("commit", d.commit)
		}
	})
	d.group("auth", func() {
		d.opaque("signature")
		if content == message.ContentCommit {
			d.opaque("confirmation_tag")
		}
	})
	if sender == message.SenderMember {
		d.opaque("membership_tag")
	}
}

func (d *decoder) contentType() message.ContentType {
	return message.ContentType(d.code8("content_type", contentTypes))
}

func (d *decoder) sender() message.SenderType {
	t := message.SenderType(d.code8("sender_type", senderTypes))
	switch t {
	case message.SenderMember:
		d.uint32("leaf_index")
	case message.SenderExternal:
		d.uint32("sender_index")
	}
	return t
}

// privateMessage reads a PrivateMessage (RFC 9420, Section 6.3).
func (d *decoder) privateMessage() {
	d.text("group_id")
	d.uint64("epoch")
	d.contentType()
	d.text("authenticated_data")
	d.opaque("encrypted_sender_data")
	d.opaque("ciphertext")
}

// welcome reads a Welcome (RFC 9420, Section 12.4.3.1).
func (d *decoder) welcome() {
	d.suite()
	d.list("secrets", func() {
		d.opaque("new_member")
		d.group("encrypted_group_secrets", d.hpkeCiphertext)
	})
	d.opaque("encrypted_group_info")
}

// hpkeCiphertext reads an HPKECiphertext (RFC 9420, Section 7.6).
func (d *decoder) hpkeCiphertext() {
	d.opaque("kem_output")
	d.opaque("ciphertext")
}

// groupInfo reads a GroupInfo (RFC 9420, Section 12.4.3).
func (d *decoder) groupInfo() {
	start := d.r.Offset()
	context := d.group("group_context", d.groupContext)
	d.extensions()
	d.opaque("confirmation_tag")
	d.uint32("signer")
	d.opaque("signature")
	if d.at != nil && d.r.Err() == nil {
		d.checkGroupInfo(context, d.from(start))
	}
}

// groupContext reads a GroupContext (RFC 9420, Section 8.1).
func (d *decoder) groupContext() {
	d.version()
	d.suite()
	d.text("group_id")
	d.uint64("epoch")
	d.opaque("tree_hash")
	d.opaque("confirmed_transcript_hash")
	d.extensions()
}

// keyPackage reads a KeyPackage (RFC 9420, Section 10).
func (d *decoder) keyPackage() {
	start := d.r.Offset()
	d.anyVersion()
	d.suite()
	d.opaque("init_key")
	leaf := d.group("leaf_node", d.leafNode)
	d.extensions()
	d.opaque("signature")
	if d.at != nil && d.r.Err() == nil {
		d.checkKeyPackage(leaf, d.from(start))
	}
}

// leafNode reads a LeafNode (RFC 9420, Section 7.2).
func (d *decoder) leafNode() {
	d.opaque("encryption_key")
	d.opaque("signature_key")
	d.group("credential", d.credential)
	d.group("capabilities", d.capabilities)
	switch message.LeafNodeSource(d.code8("leaf_node_source", leafSources)) {
	case message.SourceKeyPackage:
		d.group("lifetime", func() {
			d.time("not_before")
			d.time("not_after")
		})
	case message.SourceCommit:
		d.opaque("parent_hash")
	}
	d.extensions()
	d.opaque("signature")
}

// capabilities reads a Capabilities (RFC 9420, Section 7.2).
func (d *decoder) capabilities() {
	d.codes("versions", versionName)
	d.codes("cipher_suites", suiteName)
	d.codes("extensions", extensionName)
	d.codes("proposals", proposalName)
	d.codes("credentials", credentialName)
}

// credential reads a Credential (RFC 9420, Section 5.3). As in package message,
// one of an unknown type is taken for an opaque<V>.
func (d *decoder) credential() {
	t := d.code16("credential_type", credentialName, "uint16", nil)
	if message.CredentialType(t) != message.CredentialX509 {
		d.text("identity")
		return
	}
	d.list("certificates", func() {
		data := d.opaque("cert_data")
		if d.at != nil && d.r.Err() == nil {
			d.certificate(data)
		}
	})
}

// ratchetTree reads the data of a ratchet_tree extension (RFC 9420, Section
// 12.4.3.3).
func (d *decoder) ratchetTree(name string) {
	var s treeSummary
	n := d.list(name, func() { s.add(d.treeNode(s.nodes)) })
	// What the tree must end with holds for the whole, not for a node of it.
	d.path = append(d.path, step{name: name})
	if d.r.Err() == nil && !s.ends() {
		d.misfit(d.r.Offset(), "%s", s.problem())
	}
	d.failed("a leaf as the last node")
	d.path = d.path[:len(d.path)-1]
	if n != nil {
		n.Brief = s.String() + " (--full shows all nodes)"
	}
}

// treeNode reads an optional<Node>, and reports whether it is blank.
func (d *decoder) treeNode(index int) (blank bool) {
	there := d.r.Optional(func() {
		want := 1 + index%2 // leaves have even numbers
		d.path = append(d.path, step{name: "node_type"})
		start := d.r.Offset()
		t := d.r.Uint8()
		if d.r.Err() == nil && int(t) != want {
			d.misfit(start, "got %d at node %d", t, index)
		}
		d.failed(fmt.Sprintf("%d (%s)", want, nodeTypes[want-1]))
		d.path = d.path[:len(d.path)-1]
		d.keepCode("node_type", nodeTypes[want-1], uint64(want))
		if want == int(message.NodeLeaf) {
			d.group("leaf_node", d.leafNode)
		} else {
			d.group("parent_node", d.parentNode)
		}
	})
	if d.failed("0 or 1"); !there && d.at != nil {
		d.at.Value = absentNode
	}
	return !there
}

// parentNode reads a ParentNode (RFC 9420, Section 7.1).
func (d *decoder) parentNode() {
	d.opaque("encryption_key")
	d.opaque("parent_hash")
	last := int64(-1)
	d.numbers("unmerged_leaves", "leaf indexes in ascending order", func() uint32 {
		start := d.r.Offset()
		v := d.r.Uint32()
		if d.r.Err() == nil && int64(v) <= last {
			d.misfit(start, "got %d after %d", v, last)
		}
		last = int64(v)
		return v
	})
}
