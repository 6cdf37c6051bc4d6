package mls

import (
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// formats returns a message of each wire format, as they come to the scene's member.
func (x *scene) formats() map[message.WireFormat][]byte {
	x.t.Helper()
	k := x.keyPackage("9")
	keyPackage, err := k.Message()
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := x.in.Commit(now, CommitOptions{Proposals: []message.Proposal{AddProposal(k.Public)}})
	if err != nil {
		x.t.Fatal(err)
	}
	sent, err := x.in.Protect([]byte("for members"), SendOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	info, err := x.in.GroupInfo(GroupInfoOptions{External: true})
	if err != nil {
		x.t.Fatal(err)
	}
	groupInfo, err := wire.Marshal(&message.Message{GroupInfo: info})
	if err != nil {
		x.t.Fatal(err)
	}
	return map[message.WireFormat][]byte{
		message.WirePublicMessage: p.Message, message.WirePrivateMessage: sent, message.WireWelcome: p.Welcome,
		message.WireGroupInfo: groupInfo, message.WireKeyPackage: keyPackage,
	}
}

// TestEveryFormatToEveryCall gives a message of each wire format to each call that reads
// one. Whoever sends it chooses the format, so that a call of which the message has
// nothing must say what it wants.
func TestEveryFormatToEveryCall(t *testing.T) {
	t.Parallel()
	const (
		public  = "want a PublicMessage"
		welcome = "want a Welcome"
		info    = "want a GroupInfo"
		toGroup = "no message to a group"
	)
	for _, c := range []struct {
		name   string
		reads  []message.WireFormat
		others string // what the error says of the others
		call   func(x *scene, b []byte, m *message.Message) error
	}{
		{"PublicGroup.Process", []message.WireFormat{message.WirePublicMessage}, "want a PublicMessage|" + toGroup, func(x *scene, b []byte, _ *message.Message) error {
			_, err := x.tracker().Process(now, b)
			return err
		}},
		{"PublicGroup.Stage", []message.WireFormat{message.WirePublicMessage}, public, func(x *scene, _ []byte, m *message.Message) error {
			_, err := x.tracker().Stage(now, m.Public)
			return err
		}},
		{"PublicGroup.CheckProposal", nil, public + "|commit in place of a proposal", func(x *scene, _ []byte, m *message.Message) error {
			_, err := x.tracker().CheckProposal(now, m.Public)
			return err
		}},
		{"Group.Process", []message.WireFormat{message.WirePublicMessage, message.WirePrivateMessage}, toGroup, func(x *scene, b []byte, _ *message.Message) error {
			_, err := x.to.Process(now, b)
			return err
		}},
		{"Group.Sender", []message.WireFormat{message.WirePublicMessage, message.WirePrivateMessage}, toGroup, func(x *scene, _ []byte, m *message.Message) error {
			_, _, err := x.to.Sender(m)
			return err
		}},
		{"OpenWelcome", nil, welcome + "|none of them this client's", func(x *scene, _ []byte, m *message.Message) error {
			_, err := OpenWelcome(x.cfg, now, m.Welcome, []*KeyPackage{nil}, JoinOptions{})
			return err
		}},
		{"NewPublicGroup", []message.WireFormat{message.WireGroupInfo}, info, func(x *scene, _ []byte, m *message.Message) error {
			_, err := NewPublicGroup(x.cfg, now, m.GroupInfo, nil)
			return err
		}},
		{"JoinExternal", []message.WireFormat{message.WireGroupInfo}, info, func(x *scene, _ []byte, m *message.Message) error {
			_, err := JoinExternal(x.cfg, now, x.identity("10"), m.GroupInfo, ExternalOptions{})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newScene(t, new(row))
			for format, b := range x.formats() {
				m, err := message.Parse(b, nil)
				if err != nil {
					t.Fatal(err)
				}
				err = c.call(x, b, m)
				reads := false
				for _, f := range c.reads {
					reads = reads || f == format
				}
				switch {
				case reads && err != nil:
					t.Errorf("%v: %v, want none", format, err)
				case !reads && !says(err, c.others):
					t.Errorf("%v: error %v, want it to say %q", format, err, c.others)
				}
			}
		})
	}
}

// TestNilArguments calls with nothing, as one does who has overlooked an error.
func TestNilArguments(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	for _, c := range []struct {
		name, want string
		call       func() error
	}{
		{"PublicGroup.Merge", "want a staged Commit", func() error { return x.tracker().Merge(nil) }},
		{"PublicGroup.Merge of a zero value", "want a staged Commit", func() error { return x.tracker().Merge(new(Staged)) }},
		{"PublicGroup.Keep", "want a received proposal", func() error { return x.tracker().Keep(nil) }},
		{"PublicGroup.CheckGroupInfo", "want a staged Commit", func() error { return x.tracker().CheckGroupInfo(nil, nil, nil) }},
		{"Group.Merge", "want a staged Commit", func() error { return x.to.Merge(nil) }},
		{"Group.Merge of a zero value", "want a staged Commit", func() error { return x.to.Merge(&new(Pending).Staged) }},
		{"Group.ProcessMessage", "want a message", func() error { _, err := x.to.ProcessMessage(now, nil); return err }},
		{"Group.Sender", "want a message", func() error { _, _, err := x.to.Sender(nil); return err }},
		{"Group.MarshalPending", "want a staged Commit", func() error { _, err := x.to.MarshalPending(nil); return err }},
		{"New", "want an identity", func() error { _, err := New(x.cfg, now, nil, nil, GroupOptions{}); return err }},
		{"New without a Config", "want a Config", func() error { _, err := New(nil, now, x.identity("10"), nil, GroupOptions{}); return err }},
		{"NewKeyPackage", "want an identity", func() error { _, err := x.cfg.NewKeyPackage(now, nil, LeafOptions{}); return err }},
		{"JoinExternal", "want an identity", func() error {
			_, err := JoinExternal(x.cfg, now, nil, new(message.GroupInfo), ExternalOptions{})
			return err
		}},
		{"JoinExternal with a SelfRemove", "want a PublicMessage of each SelfRemove", func() error {
			info, err := x.to.GroupInfo(GroupInfoOptions{External: true})
			if err != nil {
				return err
			}
			_, err = JoinExternal(x.cfg, now, x.identity("10"), info, ExternalOptions{SelfRemoves: []*message.PublicMessage{nil}})
			return err
		}},
	} {
		before := fingerprint(x.to)
		if err := c.call(); !says(err, c.want) {
			t.Errorf("%s: error %v, want it to say %q", c.name, err, c.want)
		}
		if fingerprint(x.to) != before {
			t.Errorf("%s: the group has changed", c.name)
		}
	}
}

// TestTrackerPassesOn: a hub can tell what is for members only from what is wrong.
func TestTrackerPassesOn(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	all := x.formats()
	if _, err := x.tracker().Process(now, all[message.WirePrivateMessage]); !errors.Is(err, ErrEncrypted) {
		t.Errorf("a PrivateMessage: %v, want %v", err, ErrEncrypted)
	}
	if _, err := x.tracker().Process(now, all[message.WireKeyPackage]); errors.Is(err, ErrEncrypted) || !errors.Is(err, CheckGroup) {
		t.Errorf("a KeyPackage: %v, want %v", err, CheckGroup)
	}
}

// says reports whether an error has one of some texts, between bars.
func says(err error, texts string) bool {
	if err == nil {
		return false
	}
	for text := range strings.SplitSeq(texts, "|") {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// tracker returns one who follows the scene's group without its secrets.
func (x *scene) tracker() *PublicGroup {
	x.t.Helper()
	info, err := x.to.GroupInfo(GroupInfoOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	g, err := NewPublicGroup(x.cfg, now, info, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	return g
}
