package mls

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// notes is a component of the rows.
const notes message.ComponentID = 0x8001

// withNotes knows a component that keeps what it is told unless that is "bad".
func withNotes(c *Config) {
	c.Components = map[message.ComponentID]Component{
		notes: {
			SafeAAD: true,
			Update: func(_ []byte, updates [][]byte) ([]byte, error) {
				last := updates[len(updates)-1]
				if string(last) == "bad" {
					return nil, errors.New("bad note")
				}
				return last, nil
			},
			Ephemeral: func(data []byte) error {
				if string(data) == "bad" {
					return errors.New("bad data")
				}
				return nil
			},
		},
		notes + 1: {},
	}
}

// dictionaryOf is a GroupContext whose app_data_dictionary holds entries.
func dictionaryOf(c *Config, more message.Extensions, d ...message.ComponentData) message.Extensions {
	list := message.AppDataDictionary(d)
	return append(message.Extensions{{Type: c.points().AppDataDictionary, Data: must(&list)}}, more...)
}

// framed is a GroupContext with the safe_aad component.
func framed(c *Config) message.Extensions {
	return dictionaryOf(c, nil, message.ComponentData{Component: c.points().SafeAAD, Data: []byte{0}})
}

// framedNotes is a GroupContext whose safe_aad requires the notes.
func framedNotes(c *Config) message.Extensions {
	return dictionaryOf(c, nil, message.ComponentData{Component: c.points().SafeAAD, Data: componentsList(notes)})
}

// requiringComponents is a GroupContext whose app_components requires some.
func requiringComponents(c *Config, list ...message.ComponentID) message.Extensions {
	return dictionaryOf(c, nil, message.ComponentData{Component: c.points().AppComponents, Data: componentsList(list...)})
}

func requiringNotes(c *Config) message.Extensions { return requiringComponents(c, notes) }

// withLists knows app_components as a component that takes updates.
func withLists(c *Config) {
	c.Components = map[message.ComponentID]Component{
		c.points().AppComponents: {Update: func(_ []byte, updates [][]byte) ([]byte, error) { return updates[0], nil }},
	}
}

// lists sets the data of a component in a leaf.
func (x *scene) lists(l *message.LeafNode, id message.ComponentID, data []byte) {
	d, err := x.cfg.dictionary(l.Extensions)
	if err != nil {
		x.t.Fatal(err)
	}
	l.Extensions = l.Extensions.With(x.cfg.points().AppDataDictionary, must(d.With(id, data)))
}

// componentsList encodes a list of components.
func componentsList(list ...message.ComponentID) []byte { return must(message.ComponentsList(list)) }

// withMedia takes plain text and HTML.
func withMedia(c *Config) {
	c.MediaTypes = message.MediaTypeList{{Type: []byte("text/plain")}, {Type: []byte("text/html")}}
}

// mediaList encodes a list of media types.
func mediaList(types ...string) []byte {
	var list message.MediaTypeList
	for _, t := range types {
		list = append(list, message.MediaType{Type: []byte(t)})
	}
	return must(list)
}

// mediaContext is a GroupContext that requires media types.
func mediaContext(types ...string) func(*Config) message.Extensions {
	return func(c *Config) message.Extensions {
		return dictionaryOf(c, nil, message.ComponentData{Component: c.points().ContentMediaTypes, Data: mediaList(types...)})
	}
}

// framedData is application data of the first media type that the group requires.
func framedData(content string) []byte {
	return must(&message.ApplicationFraming{Content: []byte(content)})
}

// wireFormats encodes a list of wire formats.
func wireFormats(list ...message.WireFormat) []byte {
	f := message.WireFormats(list)
	return must(&f)
}

func appData(c *Config, id message.ComponentID, remove bool, data string) message.Proposal {
	p := c.AppDataProposal(id, []byte(data))
	if remove {
		p = c.AppDataRemoveProposal(id)
	}
	return p
}

func ephemeral(c *Config, id message.ComponentID, data string) message.Proposal {
	return message.Proposal{Type: c.points().AppEphemeral, Body: &message.AppEphemeral{Component: id, Data: []byte(data)}}
}

// extensionRows break the rules of draft-ietf-mls-extensions-10.
var extensionRows = []row{
	{check: CheckSelfRemove, name: "by value", run: func(x *scene) error { return x.commitOf(x.cfg.SelfRemoveProposal()) }},
	{check: CheckSelfRemove, name: "of one who joins", run: func(x *scene) error {
		return x.outside(x.outsiders(x.cfg.SelfRemoveProposal()))
	}},
	{check: CheckSelfRemove, name: "in a PrivateMessage", run: func(x *scene) error {
		p := x.cfg.SelfRemoveProposal()
		return x.forge(forgery{private: true, proposal: &p})
	}},
	{check: CheckSelfRemoveTwice, run: func(x *scene) error {
		if _, err := x.to.Propose(now, x.cfg.SelfRemoveProposal(), SendOptions{}); err != nil {
			return err
		}
		before := fingerprint(x.to)
		_, err := x.to.Propose(now, x.cfg.SelfRemoveProposal(), SendOptions{AAD: []byte("again")})
		if fingerprint(x.to) != before {
			x.t.Fatal("state changed")
		}
		return err
	}},
	{check: CheckAppDataUnknown, name: "committed", config: withNotes, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, 0x9999, false, "x"))
	}},
	{check: CheckAppDataUnknown, name: "proposed", config: withNotes, run: func(x *scene) error {
		p := appData(x.cfg, 0x9999, true, "")
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckAppDataList, name: "update and remove", config: withNotes, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, notes, false, "x"), appData(x.cfg, notes, true, ""))
	}},
	{check: CheckAppDataList, name: "two removes", config: withNotes, extensions: func(c *Config) message.Extensions {
		return dictionaryOf(c, nil, message.ComponentData{Component: notes, Data: []byte("note")})
	}, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, notes, true, ""), appData(x.cfg, notes, true, ""))
	}},
	{check: CheckAppDataRemove, config: withNotes, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, notes, true, ""))
	}},
	{check: CheckAppDataRejected, name: "by the component", config: withNotes, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, notes, false, "good"), appData(x.cfg, notes, false, "bad"))
	}},
	{check: CheckAppDataRejected, name: "no updates", config: withNotes, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, notes+1, false, "x"))
	}},
	{check: CheckAppDataExtensions, name: "added", config: withNotes, extensions: func(c *Config) message.Extensions {
		return requiring(message.RequiredCapabilities{Proposals: []message.ProposalType{c.points().AppDataUpdate}})(c)
	}, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(dictionaryOf(x.cfg, x.to.Context().Extensions)))
	}},
	{check: CheckAppDataExtensions, name: "removed", config: withNotes, extensions: func(c *Config) message.Extensions {
		return dictionaryOf(c, requiring(message.RequiredCapabilities{Proposals: []message.ProposalType{c.points().AppDataUpdate}})(c))
	}, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(x.to.Context().Extensions[1:]))
	}},
	{check: CheckAppEphemeral, name: "unknown", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ephemeral(x.cfg, 0x9999, "x"))
	}},
	{check: CheckAppEphemeral, name: "proposed", config: withNotes, run: func(x *scene) error {
		p := ephemeral(x.cfg, 0x9999, "x")
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckAppEphemeral, name: "rejected", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ephemeral(x.cfg, notes, "bad"))
	}},
	{check: CheckAppEphemeral, name: "takes none", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ephemeral(x.cfg, notes+1, "x"))
	}},
	{check: CheckSafeAAD, name: "commit", extensions: framed, aad: []byte{0}, run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) { c.AuthenticatedData = []byte("free text") }})
	}},
	{check: CheckSafeAAD, name: "order", extensions: framed, aad: []byte{0}, run: func(x *scene) error {
		items := message.AppDataDictionary{{Component: 9}, {Component: 3}}
		return x.forge(forgery{private: true, data: []byte("x"), content: func(c *message.FramedContent) { c.AuthenticatedData = must(items) }})
	}},
	{check: CheckSafeAAD, name: "a component twice", extensions: framed, aad: []byte{0}, run: func(x *scene) error {
		items := message.AppDataDictionary{{Component: 9}, {Component: 9}}
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, content: func(c *message.FramedContent) { c.AuthenticatedData = must(items) }})
	}},
	{check: CheckSafeAAD, name: "own message", extensions: framed, aad: []byte{0}, run: func(x *scene) error {
		_, err := x.to.Protect([]byte("x"), SendOptions{AAD: []byte("free text")})
		return err
	}},
	{check: CheckSafeAAD, name: "own items twice", extensions: framed, run: func(x *scene) error {
		_, err := x.to.Protect([]byte("x"), SendOptions{Items: message.SafeAAD{{Component: 9}, {Component: 3}, {Component: 9}}})
		return err
	}},
	{check: CheckSafeAAD, name: "own items and free text", extensions: framed, run: func(x *scene) error {
		_, err := x.to.Commit(now, CommitOptions{AAD: []byte{0}, Items: message.SafeAAD{{Component: 9}}})
		return err
	}},
	{check: CheckSafeAAD, name: "own items where they are not framed", run: func(x *scene) error {
		_, err := x.to.Protect([]byte("x"), SendOptions{Items: message.SafeAAD{}})
		return err
	}},
	{check: CheckSafeAAD, name: "a new member's proposal", extensions: framed, run: func(x *scene) error {
		b, err := x.cfg.NewMemberProposal(x.to.GroupID(), x.to.Epoch(), x.keyPackage("9"))
		if err != nil {
			x.t.Fatal(err)
		}
		return x.refuse(b)
	}},
	{check: CheckSafeAAD, name: "external commit", extensions: framed, run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), false, forgery{}))
	}},
	{check: CheckSafeAAD, name: "late message of an epoch that has it", config: func(c *Config) { c.PastEpochs = 1 }, extensions: framed, aad: []byte{0}, run: func(x *scene) error {
		late := forge(x.t, x.in, forgery{private: true, data: []byte("x"), content: func(c *message.FramedContent) { c.AuthenticatedData = []byte("free text") }})
		x.commit("2", CommitOptions{AAD: []byte{0}, Proposals: []message.Proposal{ExtensionsProposal(nil)}})
		return x.refuse(late)
	}},
	{check: CheckDictionary, name: "leaf", run: func(x *scene) error {
		d := message.AppDataDictionary{{Component: 9}, {Component: 3}}
		return x.update(func(l *message.LeafNode) {
			l.Extensions = message.Extensions{{Type: x.cfg.points().AppDataDictionary, Data: must(d)}}
		})
	}},
	{check: CheckDictionary, name: "KeyPackage", run: func(x *scene) error {
		d := message.AppDataDictionary{{Component: 9}, {Component: 9}}
		return x.add(func(k *message.KeyPackage) {
			k.Extensions = message.Extensions{{Type: x.cfg.points().AppDataDictionary, Data: must(d)}}
		})
	}},
	{check: CheckDictionary, name: "GroupContext", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: x.cfg.points().AppDataDictionary, Data: []byte{7}}}))
	}},
	{check: CheckDictionary, name: "GroupInfo", run: func(x *scene) error {
		return x.welcome(welcomeForgery{info: func(i *message.GroupInfo) {
			i.Extensions = append(i.Extensions, message.Extension{Type: x.cfg.points().AppDataDictionary, Data: []byte{7}})
		}})
	}},
	{check: CheckWireFormats, name: "member", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: x.cfg.points().RequiredWireFormats, Data: wireFormats(0xf001)}}))
	}},
	{check: CheckWireFormats, name: "new member", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.LeafNode.Extensions = message.Extensions{{Type: x.cfg.points().SupportedWireFormats, Data: wireFormats(0xf002)}}
		resign(x.t, x.cfg.Suite, k)
		required := message.Extensions{{Type: x.cfg.points().RequiredWireFormats, Data: wireFormats(0xf001)}}
		return x.commitOf(AddProposal(k.Public), ExtensionsProposal(required))
	}},
	{check: CheckWireFormats, name: "malformed in a leaf", extensions: func(c *Config) message.Extensions {
		return message.Extensions{{Type: c.points().RequiredWireFormats, Data: wireFormats(message.WirePublicMessage)}}
	}, run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) {
			l.Extensions = message.Extensions{{Type: x.cfg.points().SupportedWireFormats, Data: []byte{3, 0}}}
		})
	}},
	{check: CheckWireFormats, name: "malformed", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: x.cfg.points().RequiredWireFormats, Data: []byte{3, 0}}}))
	}},
	{check: CheckAppComponents, name: "commit", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(requiringComponents(x.cfg, notes, 0x9999)))
	}},
	{check: CheckAppComponents, name: "app_data_update", config: withLists, run: func(x *scene) error {
		return x.commitOf(appData(x.cfg, x.cfg.points().AppComponents, false, string(componentsList(0x9999))))
	}},
	{check: CheckAppComponents, name: "add", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { x.lists(&k.LeafNode, x.cfg.points().AppComponents, componentsList(1, 2)) })
	}},
	{check: CheckAppComponents, name: "add without a dictionary", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.Extensions = nil })
	}},
	{check: CheckAppComponents, name: "update", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { x.lists(l, x.cfg.points().AppComponents, componentsList()) })
	}},
	{check: CheckAppComponents, name: "path", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { x.lists(l, x.cfg.points().AppComponents, componentsList()) })
	}},
	{check: CheckAppComponents, name: "welcome", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: x.changeLeaf(1, func(l *message.LeafNode) { l.Extensions = nil })})
	}},
	{check: CheckAppComponents, name: "malformed in a leaf", config: withNotes, extensions: requiringNotes, run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { x.lists(l, x.cfg.points().AppComponents, []byte{3, 0}) })
	}},
	{check: CheckAppComponents, name: "malformed", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(dictionaryOf(x.cfg, nil, message.ComponentData{Component: x.cfg.points().AppComponents, Data: []byte{3, 0}})))
	}},
	{check: CheckSafeAADComponents, name: "commit", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(dictionaryOf(x.cfg, nil, message.ComponentData{Component: x.cfg.points().SafeAAD, Data: componentsList(notes + 1)})))
	}},
	{check: CheckSafeAADComponents, name: "update", config: withNotes, extensions: framedNotes, aad: []byte{0}, run: func(x *scene) error {
		p := x.updateOf(x.in, func(l *message.LeafNode) { x.lists(l, x.cfg.points().SafeAAD, componentsList()) })
		return x.forge(forgery{proposal: p, content: func(c *message.FramedContent) { c.AuthenticatedData = []byte{0} }})
	}},
	{check: CheckSafeAADComponents, name: "malformed", config: withNotes, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(dictionaryOf(x.cfg, nil, message.ComponentData{Component: x.cfg.points().SafeAAD, Data: []byte{3, 0}})))
	}},
	{check: CheckMediaTypes, name: "commit", config: withMedia, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(mediaContext("text/plain", "image/png")(x.cfg)))
	}},
	{check: CheckMediaTypes, name: "add", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			x.lists(&k.LeafNode, x.cfg.points().ContentMediaTypes, mediaList("text/html"))
		})
	}},
	{check: CheckMediaTypes, name: "update", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { x.lists(l, x.cfg.points().ContentMediaTypes, []byte{0}) })
	}},
	{check: CheckMediaTypes, name: "other parameters", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		m := message.MediaTypeList{{Type: []byte("text/plain"), Parameters: []message.Parameter{{Name: []byte("charset"), Value: []byte("x")}}}}
		return x.update(func(l *message.LeafNode) { x.lists(l, x.cfg.points().ContentMediaTypes, must(m)) })
	}},
	{check: CheckMediaTypes, name: "empty", config: withMedia, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(mediaContext()(x.cfg)))
	}},
	{check: CheckMediaTypes, name: "malformed", config: withMedia, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(dictionaryOf(x.cfg, nil, message.ComponentData{Component: x.cfg.points().ContentMediaTypes, Data: []byte{1}})))
	}},
	{check: CheckApplicationFraming, name: "free text", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		return x.forge(forgery{private: true, data: []byte("free text")})
	}},
	{check: CheckApplicationFraming, name: "parameters of no type", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		f := message.ApplicationFraming{MediaType: message.MediaType{Parameters: make([]message.Parameter, 1)}, Content: []byte("x")}
		return x.forge(forgery{private: true, data: must(&f)})
	}},
	{check: CheckApplicationFraming, name: "own message", config: withMedia, extensions: mediaContext("text/plain"), data: framedData("x"), run: func(x *scene) error {
		_, err := x.to.Protect([]byte("free text"), SendOptions{})
		return err
	}},
}
