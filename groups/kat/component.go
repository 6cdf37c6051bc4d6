package kat

import (
	"encoding/json"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// componentCase is one of room-metadata.json, role-policies.json and
// policy-components.json: the data of a component, or an update of it.
type componentCase struct {
	head
	Component uint16          `json:"component_id"`
	Struct    string          `json:"struct"`
	Data      octets          `json:"data"`
	Failure   string          `json:"failure"`
	Value     json.RawMessage `json:"value"` // null of a failure
}

// structs are the structs that components of a room hold, by their names in the
// drafts, with the components that they belong to.
var structs = map[string]struct {
	component message.ComponentID
	make      func() structure
}{
	"RoomMetaData":             {room.DefaultPoints.RoomMetadata, func() structure { return new(room.RoomMetaData) }},
	"OperationalParameters":    {room.DefaultPoints.MLSOperationalPolicy, func() structure { return new(room.OperationalParameters) }},
	"RoleData":                 {room.DefaultPoints.RolesList, func() structure { return new(room.RoleData) }},
	"PreAuthData":              {room.DefaultPoints.PreauthList, func() structure { return new(room.PreAuthData) }},
	"BaseRoomPolicy":           {room.DefaultPoints.BaseRoomPolicy, func() structure { return new(room.BaseRoomPolicy) }},
	"StatusNotificationPolicy": {room.DefaultPoints.StatusNotification, func() structure { return new(room.StatusNotificationPolicy) }},
	"JoinLinkPolicy":           {room.DefaultPoints.JoinLinkPolicy, func() structure { return new(room.JoinLinkPolicy) }},
	"JoinLinksData":            {room.DefaultPoints.JoinLinks, func() structure { return new(room.JoinLinksData) }},
	"JoinLinksUpdate":          {room.DefaultPoints.JoinLinks, func() structure { return new(room.JoinLinksUpdate) }},
	"LinkPreviewPolicy":        {room.DefaultPoints.LinkPreview, func() structure { return new(room.LinkPreviewPolicy) }},
	"AssetPolicy":              {room.DefaultPoints.Asset, func() structure { return new(room.AssetPolicy) }},
	"LoggingPolicy":            {room.DefaultPoints.Logging, func() structure { return new(room.LoggingPolicy) }},
	"HistoryPolicy":            {room.DefaultPoints.ChatHistory, func() structure { return new(room.HistoryPolicy) }},
	"BotPolicy":                {room.DefaultPoints.Bot, func() structure { return new(room.BotPolicy) }},
	"MessageExpiration":        {room.DefaultPoints.MessageExpiration, func() structure { return new(room.MessageExpiration) }},
}

// structure is what is read and written again.
type structure interface {
	wire.Marshaler
	wire.Unmarshaler
}

func checkComponent(c *checker, v *componentCase) {
	s, ok := structs[v.Struct]
	if !ok {
		c.fail("struct", "%.40q is none of a room's", v.Struct)
		return
	}
	same(c, "component_id", v.Component, uint16(s.component))
	value := s.make()
	if !c.failed(wire.Unmarshal(v.Data, value), v.Failure) {
		same(c, "value of a failure", string(v.Value), "null")
		return
	}
	if again, err := wire.Marshal(value); c.ok("data, written again", err) {
		c.equal("data, written again", again, v.Data)
	}
	c.alike("value", viewComponent(value), v.Value)
}

// viewComponent shows a component with the draft's names. Those of package room have
// them as JSON, but for what it shows to people in another form.
func viewComponent(v structure) any {
	switch p := v.(type) {
	case *room.OperationalParameters:
		return viewOperational(p)
	case *room.AssetPolicy:
		return viewAsset(p)
	case *room.BaseRoomPolicy:
		parents := []string{}
		if p.ParentRoom != "" {
			parents = append(parents, p.ParentRoom)
		}
		return map[string]any{
			"fixed_membership": p.FixedMembership, "parent_dependant": p.ParentDependent, "parent_room": parents,
			"multi_device": p.MultiDevice, "max_clients": p.MaxClients, "max_users": p.MaxUsers,
			"pseudonyms_allowed": p.PseudonymsAllowed, "persistent_room": p.PersistentRoom, "discoverable": p.Discoverable,
			"policy_component_ids": numbers(p.Components),
		}
	case *room.RoomMetaData:
		descriptions := []any{}
		for _, d := range p.Descriptions {
			descriptions = append(descriptions, map[string]any{"media_type": d.MediaType, "language_tag": d.LanguageTag, "description_content": octets(d.Content)})
		}
		return map[string]any{
			"room_uri": p.URI, "room_name": p.Name, "room_descriptions": descriptions,
			"room_avatar": p.Avatar, "room_subject": p.Subject, "room_mood": p.Mood,
		}
	case *room.RoleData:
		return map[string]any{"roles": viewRoles(p.Roles)}
	case *room.PreAuthData:
		entries := []any{}
		for i := range p.Entries {
			claims := []any{}
			for _, c := range p.Entries[i].Claims {
				claims = append(claims, map[string]any{"claim_id": map[string]any{"credential_type": uint16(c.ID.Credential), "id": octets(c.ID.ID)}, "claim_value": octets(c.Value)})
			}
			entries = append(entries, map[string]any{"claimset": claims, "target_role": viewRoles([]room.Role{p.Entries[i].Target})[0]})
		}
		return map[string]any{"preauthorized_entries": entries}
	case *room.JoinLinksData:
		return map[string]any{"links": viewLinks(p.Links)}
	case *room.JoinLinksUpdate:
		return map[string]any{"removedIndices": numbers(p.Removed), "added_links": viewLinks(p.Added)}
	case *room.LinkPreviewPolicy:
		m := map[string]any{
			"autodetect_hyperlinks_in_text": p.AutodetectHyperlinks, "send_link_previews": p.SendLinkPreviews,
			"automatic_link_previews": p.AutomaticLinkPreviews, "link_preview_proxy_use": p.ProxyUse,
		}
		if p.ProxyUse != room.Forbidden {
			m["link_preview_proxy"] = texts(p.Proxies)
		}
		return m
	case *room.LoggingPolicy:
		m := map[string]any{"logging": p.Logging}
		if p.Logging != room.Forbidden {
			m["logging_clients"] = texts(p.Clients)
			m["machine_readable_policy"], m["human_readable_policy"] = p.MachineReadablePolicy, p.HumanReadablePolicy
		}
		return m
	case *room.HistoryPolicy:
		m := map[string]any{"history_sharing": p.Sharing}
		if p.Sharing != room.Forbidden {
			m["roles_that_can_share"], m["automatically_share"], m["max_time_period"] = numbers(p.Roles), p.Automatically, p.MaxTimePeriod
		}
		return m
	case *room.BotPolicy:
		return map[string]any{"allowed_bots": append([]room.Bot{}, p.Bots...)}
	case *room.MessageExpiration:
		m := map[string]any{"expiring_messages": p.Expiring}
		if p.Expiring != room.Forbidden {
			m["min_expiration_duration"], m["max_expiration_duration"], m["default_expiration_duration"] = p.Min, p.Max, p.Default
		}
		return m
	}
	return v
}

func viewRoles(list []room.Role) []any {
	all := []any{}
	for i := range list {
		r := &list[i]
		changes := []any{}
		for _, c := range r.Changes {
			changes = append(changes, map[string]any{"from_role_index": c.From, "target_role_indexes": numbers(c.Targets)})
		}
		caps := []string{}
		for _, c := range r.Capabilities {
			caps = append(caps, c.String())
		}
		all = append(all, map[string]any{
			"role_index": r.Index, "role_name": r.Name, "role_description": r.Description, "role_capabilities": caps,
			"minimum_participants_constraint": r.Min, "maximum_participants_constraint": r.Max,
			"minimum_active_participants_constraint": r.MinActive, "maximum_active_participants_constraint": r.MaxActive,
			"authorized_role_changes": changes,
		})
	}
	return all
}

func viewLinks(list []room.JoinLink) []any {
	all := []any{}
	for _, l := range list {
		all = append(all, map[string]any{"join_link": octets(l.Link)})
	}
	return all
}

func viewMedia(list []message.MediaType) []any {
	all := []any{}
	for _, m := range list {
		params := []any{}
		for _, p := range m.Parameters {
			params = append(params, map[string]any{"parameter_name": string(p.Name), "parameter_value": string(p.Value)})
		}
		all = append(all, map[string]any{"type": string(m.Type), "parameters": params})
	}
	return all
}

func viewAsset(p *room.AssetPolicy) any {
	domains := []any{}
	for _, d := range p.UploadDomains {
		domains = append(domains, map[string]any{"provider": d.Provider, "asset_upload_destinations": texts(d.Destinations)})
	}
	types := func(list []room.DownloadPrivacyType) []string {
		all := []string{}
		for _, t := range list {
			all = append(all, t.String())
		}
		return all
	}
	var permitted any
	if p.RestrictsMediaTypes {
		permitted = viewMedia(p.PermittedMediaTypes)
	}
	return map[string]any{
		"asset_upload_location": p.UploadLocation, "upload_domains": domains,
		"download_privacy": map[string]any{"allowed_download_types": types(p.DownloadPrivacy.Allowed), "forbidden_download_types": types(p.DownloadPrivacy.Forbidden), "default_download_type": p.DownloadPrivacy.Default},
		"max_image":        p.MaxImage, "max_audio": p.MaxAudio, "max_video": p.MaxVideo, "max_attachment": p.MaxAttachment,
		"forbidden_media_types": viewMedia(p.ForbiddenMediaTypes), "permitted_media_types": permitted,
	}
}

func viewOperational(p *room.OperationalParameters) any {
	capabilities := func(e *room.ExtendedCapabilities) any {
		return map[string]any{
			"versions": numbers(e.Versions), "cipher_suites": numbers(e.Suites), "extensions": numbers(e.Extensions),
			"proposals": numbers(e.Proposals), "credentials": numbers(e.Credentials), "wire_formats": numbers(e.WireFormats),
			"component_ids": numbers(e.Components), "safe_aad_types": numbers(e.SafeAAD), "media_types": viewMedia(e.MediaTypes),
			"content_types": numbers(e.ContentTypes),
		}
	}
	times := func(t room.MinDefaultMaxTime) any {
		return map[string]any{"minimum_time": t.Min, "default_time": t.Default, "maximum_time": t.Max}
	}
	pending := map[string]any{"pending_proposal_strategy": p.PendingProposals.Strategy}
	if p.PendingProposals.Strategy == room.StrategyRandomDelay {
		pending["minimum_delay_ms"], pending["maximum_delay_ms"] = p.PendingProposals.MinimumDelay, p.PendingProposals.MaximumDelay
	}
	return map[string]any{
		"mandatory_capabilities": capabilities(&p.MandatoryCapabilities), "default_capabilities": capabilities(&p.DefaultCapabilities),
		"forbidden_capabilities": capabilities(&p.ForbiddenCapabilities), "handshake_formats": numbers(p.HandshakeFormats),
		"external_proposal_allowed": p.ExternalProposalAllowed, "external_commit_allowed": p.ExternalCommitAllowed,
		"pending_proposal_policy": pending, "LeafNode_update_time": times(p.LeafNodeUpdateTime),
		"app_message_policy": map[string]any{"epoch_tolerance": p.AppMessages.EpochTolerance, "pad_to_size": p.AppMessages.PadToSize, "max_generations_skipahead": p.AppMessages.MaxGenerationsSkipahead},
		"max_kp_lifetime":    p.MaxKPLifetime, "max_credential_lifetime": p.MaxCredentialLifetime, "resumption_psk_lifetime": p.ResumptionPSKLifetime,
		"sender_nonce_keypair_lifetime": times(p.SenderNonceKeypairLifetime), "max_keypairs": p.MaxKeypairs,
		"buffer_incoming_message_time": times(p.BufferIncomingMessageTime), "max_buffered_messages": p.MaxBufferedMessages,
	}
}

// numbers shows a list of numbers, whatever names they have. texts does not show a
// missing list as null.
func numbers[T ~uint8 | ~uint16 | ~uint32](list []T) []uint32 {
	all := []uint32{}
	for _, n := range list {
		all = append(all, uint32(n))
	}
	return all
}

func texts(list []string) []string { return append([]string{}, list...) }
