package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// Bot is a chat bot that a room allows (room-policy-04, Chat bot policy component):
//
//	struct {
//	    opaque name<V>;
//	    opaque description<V>;
//	    Uri homepage;
//	    bool local_client_bot;
//	    uint32 bot_role_index;
//	    bool can_target_message_in_group;
//	    bool per_user_content;
//	} Bot;
type Bot struct {
	Name             string `json:"name"`
	Description      string `json:"description"`
	Homepage         string `json:"homepage"`
	LocalClient      bool   `json:"local_client_bot"`
	Role             uint32 `json:"bot_role_index"` // 0: no active participant
	CanTargetMessage bool   `json:"can_target_message_in_group"`
	PerUserContent   bool   `json:"per_user_content"`
}

func (b *Bot) UnmarshalTLS(r *wire.Reader) {
	b.Name = readText(r)
	b.Description = readText(r)
	b.Homepage = readURI(r)
	b.LocalClient = readBool(r)
	b.Role = r.Uint32()
	b.CanTargetMessage = readBool(r)
	b.PerUserContent = readBool(r)
	readCheck(r, b)
}

func (b *Bot) MarshalTLS(w *wire.Writer) {
	writeCheck(w, b)
	writeText(w, b.Name)
	writeText(w, b.Description)
	writeURI(w, b.Homepage)
	writeBool(w, b.LocalClient)
	w.Uint32(b.Role)
	writeBool(w, b.CanTargetMessage)
	writeBool(w, b.PerUserContent)
}

// check wants role 0 of a bot that has the room only through another client.
func (b *Bot) check() error {
	if b.LocalClient && b.Role != RoleNone {
		return invalid("local bot %.40q has role %d, want 0", b.Name, b.Role)
	}
	return nil
}

// BotPolicy is the data of the bot_policy component, and what an update of it
// holds:
//
//	struct {
//	    Bot allowed_bots<V>;
//	} BotPolicy;
type BotPolicy struct {
	Bots []Bot `json:"allowed_bots"`
}

func (p *BotPolicy) UnmarshalTLS(r *wire.Reader) { p.Bots = wire.List[Bot](r) }
func (p *BotPolicy) MarshalTLS(w *wire.Writer)   { wire.PutList(w, p.Bots) }
