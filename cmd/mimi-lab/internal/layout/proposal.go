package layout

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// commit reads a Commit (RFC 9420, Section 12.4).
func (d *decoder) commit() {
	d.list("proposals", func() {
		switch d.code8("type", orRefTypes) {
		case 1:
			d.group("proposal", d.proposal)
		case 2:
			d.opaque("reference")
		}
	})
	d.optional("path", func() { d.group("path", d.updatePath) })
}

// updatePath reads an UpdatePath (RFC 9420, Section 7.6).
func (d *decoder) updatePath() {
	d.group("leaf_node", d.leafNode)
	d.list("nodes", func() {
		d.opaque("encryption_key")
		d.list("encrypted_path_secret", d.hpkeCiphertext)
	})
}

// proposal reads a Proposal (RFC 9420, Section 12.1).
func (d *decoder) proposal() {
	some := func(v uint16) bool { return v != 0 }
	t := d.code16("proposal_type", proposalName, "any but 0", some)
	if d.r.Err() != nil {
		return
	}
	switch message.ProposalType(t) {
	case message.ProposalAdd:
		d.group("add", func() { d.group("key_package", d.keyPackage) })
	case message.ProposalUpdate:
		d.group("update", func() { d.group("leaf_node", d.leafNode) })
	case message.ProposalRemove:
		d.group("remove", func() { d.uint32("removed") })
	case message.ProposalPSK:
		d.group("psk", func() { d.group("psk", d.preSharedKeyID) })
	case message.ProposalReInit:
		d.group("reinit", d.reInit)
	case message.ProposalExternalInit:
		d.group("external_init", func() { d.opaque("kem_output") })
	case message.ProposalGroupContextExtensions:
		d.group("group_context_extensions", d.extensions)
	case points.SelfRemove:
		d.group("self_remove", func() {})
	case points.AppDataUpdate:
		d.group("app_data_update", d.appDataUpdate)
	case points.AppEphemeral:
		d.group("app_ephemeral", d.componentData)
	default:
		d.opaque("data") // message.Custom
	}
}

// reInit reads a ReInit (RFC 9420, Section 12.1.5).
func (d *decoder) reInit() {
	d.text("group_id")
	d.anyVersion()
	d.suite()
	d.extensions()
}

// preSharedKeyID reads a PreSharedKeyID (RFC 9420, Section 8.4;
// draft-ietf-mls-extensions-10, Pre-Shared Keys).
func (d *decoder) preSharedKeyID() {
	switch message.PSKType(d.code8("psktype", pskTypes)) {
	case message.PSKExternal:
		d.text("psk_id")
	case message.PSKResumption:
		d.code8("usage", pskUsages)
		d.text("psk_group_id")
		d.uint64("psk_epoch")
	case message.PSKApplication:
		d.component()
		d.text("psk_id")
	}
	d.opaque("psk_nonce")
}

// appDataUpdate reads an AppDataUpdate (draft-ietf-mls-extensions-10, Updating
// Application Data in the GroupContext).
func (d *decoder) appDataUpdate() {
	id := d.component()
	if message.AppDataUpdateOperation(d.code8("op", updateOps)) == message.AppDataSet {
		d.componentContent("update", id)
	}
}
