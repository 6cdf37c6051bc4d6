package layout

import (
	"fmt"
	"slices"

	rooms "github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// The enums of RFC 9420 with 8 bits, from 1 on.
var (
	contentTypes = []string{"application", "proposal", "commit"}
	senderTypes  = []string{"member", "external", "new_member_proposal", "new_member_commit"}
	leafSources  = []string{"key_package", "update", "commit"}
	orRefTypes   = []string{"proposal", "reference"}
	pskTypes     = []string{"external", "resumption", "application"}
	pskUsages    = []string{"application", "reinit", "branch"}
	nodeTypes    = []string{"leaf", "parent"}
	updateOps    = []string{"update", "remove"}
)

// named returns the name of a code, by the specification that registers it.
func named[T interface {
	~uint16
	fmt.Stringer
}](v T, drafts map[T]string) string {
	switch name, known := drafts[v]; {
	case known:
		return name
	case message.IsGREASE(v):
		return "grease"
	case v.String() == fmt.Sprintf("%#04x", uint16(v)):
		return "unknown"
	}
	return v.String()
}

var (
	draftExtensions = map[message.ExtensionType]string{
		points.AppDataDictionary:    "app_data_dictionary",
		points.SupportedWireFormats: "supported_wire_formats",
		points.RequiredWireFormats:  "required_wire_formats",
	}
	draftProposals = map[message.ProposalType]string{
		points.AppDataUpdate: "app_data_update",
		points.AppEphemeral:  "app_ephemeral",
		points.SelfRemove:    "self_remove",
	}
	draftCredentials = map[message.CredentialType]string{ // draft-ietf-mls-extensions-10, IANA
		3: "multi", 4: "weak-multi",
	}
	components = map[message.ComponentID]string{
		points.AppComponents:        "app_components",
		points.SafeAAD:              "safe_aad",
		points.ContentMediaTypes:    "content_media_types",
		points.LastResortKeyPackage: "last_resort_key_package",
		5:                           "app_ack",

		mimi.DefaultCodePoints.FrankAAD:      "frank_aad", // draft-ietf-mimi-protocol-06, IANA Considerations
		mimi.DefaultCodePoints.FrankingAgent: "franking_agent",
	}
)

func versionName(v uint16) string    { return named(message.ProtocolVersion(v), nil) }
func wireFormatName(v uint16) string { return named(message.WireFormat(v), nil) }
func extensionName(v uint16) string  { return named(message.ExtensionType(v), draftExtensions) }
func proposalName(v uint16) string   { return named(message.ProposalType(v), draftProposals) }
func credentialName(v uint16) string { return named(message.CredentialType(v), draftCredentials) }

func suiteName(v uint16) string {
	switch id := suite.ID(v); {
	case id.Known():
		return id.String()
	case message.IsGREASE(v):
		return "grease"
	}
	return "unknown"
}

func componentName(v uint16) string {
	id := message.ComponentID(v)
	switch name, known := components[id]; {
	case known:
		return name
	case slices.Contains(rooms.DefaultPoints.Components(), id):
		return rooms.DefaultPoints.Name(id)
	case message.IsGREASE(v):
		return "grease"
	}
	return "unknown"
}
