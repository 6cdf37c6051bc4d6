package kat

import (
	"encoding/json"

	"github.com/mimi-lab/mimi-lab/groups/room"
)

const (
	policySection   = "draft-ietf-mimi-room-policy-04, "
	protocolSection = "draft-ietf-mimi-protocol-06, "
)

// componentRow is a case before it is written.
type componentRow struct {
	name, section, of string
	value             object // of a component that can be read
	data              octets // else
	failure           string
	because           []string
}

func makeComponents(rows []componentRow) []any {
	var cases []any
	for _, r := range rows {
		v := &componentCase{head: newHead(r.name, r.section, r.because...), Component: uint16(structs[r.of].component), Struct: r.of, Data: r.data, Failure: r.failure, Value: json.RawMessage("null")}
		if r.value != nil && r.data == nil {
			v.Data = r.value.bytes()
		}
		if r.failure == "" {
			v.Value = r.value.json()
		}
		cases = append(cases, v)
	}
	return cases
}

func metadataObject(uri, name, avatar, subject, mood string, descriptions ...field) object {
	return object{text("room_uri", uri), text("room_name", name), vector("room_descriptions", descriptions...), text("room_avatar", avatar), text("room_subject", subject), text("room_mood", mood)}
}

func description(media, language, content string) field {
	return part("", object{text("media_type", media), text("language_tag", language), data("description_content", []byte(content))})
}

const clubhouse = "mimi://h.example/r/clubhouse"

func makeMetadata(*maker) []any {
	const section, of = protocolSection + "Room Metadata", "RoomMetaData"
	all := metadataObject(clubhouse, "Clubhouse", "https://h.example/avatars/clubhouse.png", "tea at five", "calm",
		description("text/plain", "en", "Where members meet."), description("text/markdown", "de", "Wo sich **alle** treffen."))
	return makeComponents([]componentRow{
		{name: "every field", section: section, of: of, value: all},
		{name: "the URI alone", section: section, of: of, value: metadataObject(clubhouse, "", "", "", "")},
		{name: "names beyond ASCII", section: section, of: of, value: metadataObject(clubhouse, "Vereinsküche 🫖", "", "茶", "😌")},
		{name: "a description of no bytes", section: section, of: of, value: metadataObject(clubhouse, "Clubhouse", "", "", "", description("", "", ""))},
		{name: "no bytes", section: section, of: of, data: octets{}, failure: "truncated"},
		{name: "cut short", section: section, of: of, data: all.bytes()[:40], failure: "truncated"},
		{name: "a byte behind", section: section, of: of, data: append(all.bytes(), 0), failure: "trailing"},
		{name: "a name that is not UTF-8", section: section, of: of, data: metadataObject(clubhouse, "Club\xffhouse", "", "", "").bytes(), failure: "not-allowed", because: []string{deviation(mimi1, 14)}},
		{name: "a name with a null", section: section, of: of, data: metadataObject(clubhouse, "Club\x00house", "", "", "").bytes(), failure: "not-allowed", because: []string{deviation(mimi1, 14)}},
	})
}

// optional32 is what the draft writes as "optional uint32".
func optional32(name string, v *uint32) field {
	if v == nil {
		return none(name)
	}
	return some(num32(name, *v))
}

func roleObject(r *room.Role) object {
	caps := make([]field, len(r.Capabilities))
	for i, c := range r.Capabilities {
		caps[i] = num16("", uint16(c))
		caps[i].value = c.String()
	}
	changes := make([]field, len(r.Changes))
	for i, c := range r.Changes {
		changes[i] = part("", object{num32("from_role_index", c.From), numbers32("target_role_indexes", c.Targets...)})
	}
	return object{
		num32("role_index", r.Index), text("role_name", r.Name), text("role_description", r.Description), vector("role_capabilities", caps...),
		num32("minimum_participants_constraint", r.Min), optional32("maximum_participants_constraint", r.Max),
		num32("minimum_active_participants_constraint", r.MinActive), optional32("maximum_active_participants_constraint", r.MaxActive),
		vector("authorized_role_changes", changes...),
	}
}

func rolesObject(list []room.Role) object {
	roles := make([]field, len(list))
	for i := range list {
		roles[i] = part("", roleObject(&list[i]))
	}
	return object{vector("roles", roles...)}
}

// makePolicies writes the four policies of the appendix, and what a role may not be.
func makePolicies(*maker) []any {
	const section, of = policySection + "Role-Based Access Control", "RoleData"
	because := map[string][]string{
		"cooperative": {deviation(room1, 14)}, "administered": {deviation(room1, 14)},
		"moderated": {deviation(room1, 14), deviation(room1, 15)}, "multi-org": {deviation(room1, 14)},
	}
	var rows []componentRow
	for _, p := range room.Policies() {
		rows = append(rows, componentRow{name: p.Title, section: policySection + "Appendix " + p.Section, of: of, value: rolesObject(p.Roles.Roles), because: because[p.Name]})
	}
	two := uint32(2)
	role := func(f func(*room.Role)) room.Role {
		r := room.Role{Index: 2, Name: "member", Capabilities: []room.Capability{room.CanSendMessage}}
		f(&r)
		return r
	}
	one := func(f func(*room.Role)) object { return rolesObject([]room.Role{role(f)}) }
	nothing := func(*room.Role) {}
	rows = append(rows,
		componentRow{name: "no roles", section: section, of: of, value: rolesObject(nil)},
		componentRow{name: "a private capability", section: section, of: of, value: one(func(r *room.Role) { r.Capabilities = []room.Capability{0xf001} }), because: []string{deviation(room1, 13)}},
		componentRow{name: "a limit of 0 and none", section: section, of: of, value: one(func(r *room.Role) { r.MaxActive = new(uint32) })},
		componentRow{name: "a role twice", section: section, of: of, data: rolesObject([]room.Role{role(nothing), role(nothing)}).bytes(), failure: "not-allowed"},
		componentRow{name: "more wanted than allowed", section: section, of: of, data: one(func(r *room.Role) { r.Min, r.Max = 3, &two }).bytes(), failure: "not-allowed"},
		componentRow{name: "more active ones wanted than allowed", section: section, of: of, data: one(func(r *room.Role) { r.MinActive, r.MaxActive = 3, &two }).bytes(), failure: "not-allowed"},
		componentRow{name: "canOpenJoin in a role other than 0", section: policySection + "Membership Capabilities", of: of, data: one(func(r *room.Role) { r.Capabilities = []room.Capability{room.CanOpenJoin} }).bytes(), failure: "not-allowed"},
		componentRow{name: "a presence octet of 2", section: section, of: of, data: octets{0x16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, failure: "optional"},
		componentRow{name: "half a capability", section: section, of: of, data: octets{0x08, 0, 0, 0, 2, 0, 0, 1, 0}, failure: "truncated"},
	)
	return makeComponents(rows)
}

func optionality(name string, v room.Optionality) field { return enum(name, uint8(v), v.String()) }

// uris and names are Uri x<V> and UTF8String x<V>.
func uris(name string, list ...string) field {
	all := make([]field, len(list))
	for i := range list {
		all[i] = text("", list[i])
	}
	return vector(name, all...)
}

func mediaTypes(name string, list ...string) field {
	all := make([]field, len(list))
	for i := range list {
		all[i] = part("", object{text("type", list[i]), vector("parameters")})
	}
	return vector(name, all...)
}

func baseObject(fixed bool, parents []string, multi bool, clients, users *uint32, components ...uint16) object {
	return object{
		boolean("fixed_membership", fixed), boolean("parent_dependant", len(parents) > 0), uris("parent_room", parents...), boolean("multi_device", multi),
		optional32("max_clients", clients), optional32("max_users", users), boolean("pseudonyms_allowed", false), boolean("persistent_room", true),
		boolean("discoverable", false), numbers16("policy_component_ids", components...),
	}
}

func roomClaim(value string) field {
	return part("", object{part("claim_id", object{num16("credential_type", 1), data("id", []byte("org"))}), data("claim_value", []byte(value))})
}

func preauthObject(role uint32, claims ...field) field {
	return part("", object{vector("claimset", claims...), part("target_role", roleObject(&room.Role{Index: role}))})
}

func capabilitiesObject(suites ...uint16) object {
	return object{
		numbers16[uint16]("versions", 1), numbers16("cipher_suites", suites...), numbers16[uint16]("extensions", 6), numbers16[uint16]("proposals", 8, 10),
		numbers16[uint16]("credentials", 1, 2), numbers16[uint16]("wire_formats", 1, 2), numbers16[uint16]("component_ids", 0x22, 0x23),
		numbers16[uint16]("safe_aad_types", 0x20), mediaTypes("media_types", "application/mimi-content"), vector("content_types", num8("", 1), num8("", 2), num8("", 3)),
	}
}

func noCapabilities() object {
	return object{
		vector("versions"), vector("cipher_suites"), vector("extensions"), vector("proposals"), vector("credentials"), vector("wire_formats"),
		vector("component_ids"), vector("safe_aad_types"), vector("media_types"), vector("content_types"),
	}
}

func times(name string, least, usual, most uint64) field {
	return part(name, object{num64("minimum_time", least), num64("default_time", usual), num64("maximum_time", most)})
}

func operationalObject(pending object) object {
	return object{
		part("mandatory_capabilities", capabilitiesObject(1)), part("default_capabilities", capabilitiesObject(1, 3)), part("forbidden_capabilities", noCapabilities()),
		numbers16[uint16]("handshake_formats", 1), boolean("external_proposal_allowed", true), boolean("external_commit_allowed", false),
		part("pending_proposal_policy", pending), times("LeafNode_update_time", 3600, 86400, 604800),
		part("app_message_policy", object{num8("epoch_tolerance", 2), num16("pad_to_size", 256), num32("max_generations_skipahead", 1000)}),
		num64("max_kp_lifetime", 2592000), num64("max_credential_lifetime", 31536000), num64("resumption_psk_lifetime", 86400),
		times("sender_nonce_keypair_lifetime", 1, 2, 3), num32("max_keypairs", 100), times("buffer_incoming_message_time", 0, 60, 600), num32("max_buffered_messages", 1024),
	}
}

func assetObject(location uint8, shown string, domains []field, permitted field) object {
	types := func(name string, list ...room.DownloadPrivacyType) field {
		all := make([]field, len(list))
		for i, t := range list {
			all[i] = enum("", uint8(t), t.String())
		}
		return vector(name, all...)
	}
	return object{
		enum("asset_upload_location", location, shown), vector("upload_domains", domains...),
		part("download_privacy", object{types("allowed_download_types", room.DownloadHubProxy, room.DownloadOHTTP), types("forbidden_download_types", room.DownloadDirect), enum("default_download_type", 2, "ohttp")}),
		num64("max_image", 10_000_000), num64("max_audio", 20_000_000), num64("max_video", 1<<32), num64("max_attachment", 0),
		mediaTypes("forbidden_media_types", "application/x-msdownload"), permitted,
	}
}

func makeComponentCases(*maker) []any {
	limit := func(n uint32) *uint32 { return &n }
	domain := func(provider string, list ...string) field {
		return part("", object{text("provider", provider), uris("asset_upload_destinations", list...)})
	}
	opt, req, not := room.Optional, room.Required, room.Forbidden
	bot := func(local bool, role uint32) field {
		return part("", object{text("name", "helper"), text("description", "answers questions"), text("homepage", "https://bots.example/helper"),
			boolean("local_client_bot", local), num32("bot_role_index", role), boolean("can_target_message_in_group", false), boolean("per_user_content", true)})
	}
	expire := func(o room.Optionality, least, most uint32, usual *uint32) object {
		return object{optionality("expiring_messages", o), num32("min_expiration_duration", least), num32("max_expiration_duration", most), optional32("default_expiration_duration", usual)}
	}
	history := func(o room.Optionality, roles ...uint32) object {
		return object{optionality("history_sharing", o), numbers32("roles_that_can_share", roles...), boolean("automatically_share", true), num32("max_time_period", 604800)}
	}
	logging := func(o room.Optionality, clients ...string) object {
		return object{optionality("logging", o), uris("logging_clients", clients...), text("machine_readable_policy", "https://h.example/logging.json"), text("human_readable_policy", "https://h.example/logging")}
	}
	preview := func(detect, proxy room.Optionality, proxies ...string) object {
		o := object{optionality("autodetect_hyperlinks_in_text", detect), optionality("send_link_previews", opt), optionality("automatic_link_previews", not), optionality("link_preview_proxy_use", proxy)}
		if proxy != not {
			o = append(o, uris("link_preview_proxy", proxies...))
		}
		return o
	}
	joinLinks := func(links ...string) field {
		all := make([]field, len(links))
		for i, l := range links {
			all[i] = part("", object{data("join_link", []byte(l))})
		}
		return vector("links", all...)
	}
	added := joinLinks("https://h.example/join/3")
	added.name = "added_links"
	permitted := mediaTypes("permitted_media_types", "image/png", "image/avif")
	const base, operational, preauth = policySection + "Base Room policy component syntax", policySection + "Operational policy component", policySection + "Preauthorized Users"
	const status, joins, previews = policySection + "Status Notifications component", policySection + "Join Link policies component", policySection + "Link preview policy component"
	const asset, logs, chat, bots, expiry = policySection + "Asset policies component", policySection + "Logging policy component", policySection + "Chat history policy component", policySection + "Chat bot policy component", policySection + "Message expiration policy component"
	d := func(n ...int) (all []string) {
		for _, i := range n {
			all = append(all, deviation(room1, i))
		}
		return all
	}
	return makeComponents([]componentRow{
		{"base policy with limits", base, "BaseRoomPolicy", baseObject(false, nil, true, limit(100), limit(20), 0x25, 0x26), nil, "", d(4, 6)},
		{"base policy of fixed membership, without limits", base, "BaseRoomPolicy", baseObject(true, nil, false, nil, nil), nil, "", d(4)},
		{"base policy of a room that depends on another", base, "BaseRoomPolicy", baseObject(false, []string{"mimi://h.example/r/parent"}, true, nil, limit(0)), nil, "", d(6)},
		{"base policy with two parents", base, "BaseRoomPolicy", nil, baseObject(false, []string{"mimi://h.example/r/a", "mimi://h.example/r/b"}, true, nil, nil).bytes(), "not-allowed", d(6)},
		{"base policy with a boolean of 2", base, "BaseRoomPolicy", nil, octets{2, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "not-allowed", nil},
		{"base policy that depends on no room", base, "BaseRoomPolicy", nil, octets{0, 1, 0, 1, 0, 0, 0, 0, 0, 0}, "not-allowed", d(6)},
		{"preauthorizations, the first that matches counts", preauth, "PreAuthData", object{vector("preauthorized_entries", preauthObject(3, roomClaim("staff"), roomClaim("admin")), preauthObject(2, roomClaim("staff")))}, nil, "", d(2)},
		{"preauthorization of everybody", preauth, "PreAuthData", object{vector("preauthorized_entries", preauthObject(2))}, nil, "", d(2, 31)},
		{"no preauthorizations", preauth, "PreAuthData", object{vector("preauthorized_entries")}, nil, "", nil},
		{"preauthorization for role 0", preauth, "PreAuthData", nil, object{vector("preauthorized_entries", preauthObject(0, roomClaim("staff")))}.bytes(), "not-allowed", nil},
		{"operational policy, commits at once", operational, "OperationalParameters", operationalObject(object{enum("pending_proposal_strategy", 1, "immediate_commit")}), nil, "", d(5, 8)},
		{"operational policy, commits after a delay", operational, "OperationalParameters", operationalObject(object{enum("pending_proposal_strategy", 2, "random_delay"), num64("minimum_delay_ms", 100), num64("maximum_delay_ms", 5000)}), nil, "", d(5, 8)},
		{"operational policy with a delay that ends before it begins", operational, "OperationalParameters", nil, operationalObject(object{enum("pending_proposal_strategy", 2, ""), num64("", 5001), num64("", 5000)}).bytes(), "not-allowed", d(5)},
		{"operational policy cut short", operational, "OperationalParameters", nil, operationalObject(object{enum("pending_proposal_strategy", 0, "")}).bytes()[:200], "truncated", nil},
		{"status notifications", status, "StatusNotificationPolicy", object{optionality("delivery_notifications", req), optionality("read_receipts", not)}, nil, "", d(1)},
		{"status notifications, both left to the client", status, "StatusNotificationPolicy", object{optionality("delivery_notifications", opt), optionality("read_receipts", opt)}, nil, "", d(1)},
		{"status notifications of no known value", status, "StatusNotificationPolicy", nil, octets{0, 3}, "not-allowed", d(1)},
		{"join links on request", joins, "JoinLinkPolicy", object{boolean("on_request", true), text("join_link", "https://h.example/join"), boolean("multiuser", false), num32("expiration", 86400)}, nil, "", d(9)},
		{"join links that are never made", joins, "JoinLinkPolicy", object{boolean("on_request", false), text("join_link", ""), boolean("multiuser", true), num32("expiration", 0)}, nil, "", d(9)},
		{"two join links", joins, "JoinLinksData", object{joinLinks("https://h.example/join/1", "https://h.example/join/2")}, nil, "", nil},
		{"update of join links", joins, "JoinLinksUpdate", object{numbers32("removedIndices", 0), added}, nil, "", nil},
		{"link previews by a proxy", previews, "LinkPreviewPolicy", preview(opt, req, "https://proxy.example"), nil, "", d(1)},
		{"link previews without a proxy", previews, "LinkPreviewPolicy", preview(not, not), nil, "", d(1)},
		{"link previews by a proxy that is not named", previews, "LinkPreviewPolicy", nil, preview(opt, req).bytes(), "not-allowed", nil},
		{"hyperlinks that have to be detected", previews, "LinkPreviewPolicy", nil, preview(req, not).bytes(), "not-allowed", nil},
		{"assets at the hub", asset, "AssetPolicy", assetObject(2, "hub", []field{domain("h.example", "assets.h.example")}, none("permitted_media_types")), nil, "", d(7)},
		{"assets at two providers, of two types alone", asset, "AssetPolicy", assetObject(1, "localProvider", []field{domain("a.example", "up1.a.example", "up2.a.example"), domain("b.example")}, some(permitted)), nil, "", d(7)},
		{"assets of no type at all", asset, "AssetPolicy", assetObject(0, "unspecified", nil, some(mediaTypes("permitted_media_types"))), nil, "", d(7)},
		{"assets at the hub and elsewhere", asset, "AssetPolicy", nil, assetObject(2, "hub", []field{domain("h.example"), domain("a.example")}, none("")).bytes(), "not-allowed", nil},
		{"assets nowhere that is known", asset, "AssetPolicy", nil, assetObject(3, "", nil, none("")).bytes(), "not-allowed", nil},
		{"logging by a client", logs, "LoggingPolicy", logging(req, "mimi://h.example/d/logger"), nil, "", d(1)},
		{"no logging", logs, "LoggingPolicy", object{optionality("logging", not)}, nil, "", d(1)},
		{"logging by nobody", logs, "LoggingPolicy", nil, logging(req).bytes(), "not-allowed", nil},
		{"history is shared by two roles", chat, "HistoryPolicy", history(opt, 2, 3), nil, "", d(1)},
		{"history is not shared", chat, "HistoryPolicy", object{optionality("history_sharing", not)}, nil, "", d(1)},
		{"history is shared by the banned", chat, "HistoryPolicy", nil, history(req, 1).bytes(), "not-allowed", nil},
		{"a bot that takes part", bots, "BotPolicy", object{vector("allowed_bots", bot(false, 2))}, nil, "", nil},
		{"two bots, one of a client", bots, "BotPolicy", object{vector("allowed_bots", bot(true, 0), bot(false, 3))}, nil, "", nil},
		{"no bots", bots, "BotPolicy", object{vector("allowed_bots")}, nil, "", nil},
		{"a local bot with a role", bots, "BotPolicy", nil, object{vector("allowed_bots", bot(true, 2))}.bytes(), "not-allowed", nil},
		{"messages expire, after a day if nothing is said", expiry, "MessageExpiration", expire(req, 3600, 604800, limit(86400)), nil, "", d(1, 12)},
		{"messages may expire", expiry, "MessageExpiration", expire(opt, 0, 4294967295, nil), nil, "", d(1, 12)},
		{"messages do not expire", expiry, "MessageExpiration", object{optionality("expiring_messages", not)}, nil, "", d(1, 11)},
		{"messages do not expire, and durations follow", expiry, "MessageExpiration", nil, expire(not, 0, 0, nil).bytes(), "trailing", d(11)},
		{"messages expire by default later than ever", expiry, "MessageExpiration", nil, expire(opt, 1, 10, limit(11)).bytes(), "not-allowed", nil},
	})
}

// capabilityCase is one of capabilities.json.
type capabilityCase struct {
	head
	Value      uint16 `json:"value"`
	Capability string `json:"capability"`
	Reserved   bool   `json:"reserved"`
}

// reserved are the ranges and single values that the draft keeps for later.
var reserved = []uint16{0x0007, 0x0008, 0x000d, 0x000e, 0x0011, 0x0110, 0x0111, 0x0380, 0x0381, 0x0382, 0x0383, 0x0500, 0x0505, 0x0600, 0x0602, 0x0603, 0x0604, 0x0605}

func makeCapabilities(*maker) []any {
	var cases []any
	for _, c := range room.Capabilities() {
		kept := false
		for _, r := range reserved {
			kept = kept || r == uint16(c)
		}
		cases = append(cases, &capabilityCase{newHead(c.String(), policySection+"New MIMI Role Capabilities registry"), uint16(c), c.String(), kept})
	}
	return cases
}

func checkCapability(c *checker, v *capabilityCase) {
	capability := room.Capability(v.Value)
	same(c, "registered", capability.Registered(), true)
	same(c, "capability", capability.String(), v.Capability)
	if got, err := room.ParseCapability(v.Capability); c.ok("capability", err) {
		same(c, "value", uint16(got), v.Value)
	}
	same(c, "reserved", capability.Reserved(), v.Reserved)
}
