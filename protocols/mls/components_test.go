package mls

import (
	"errors"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// componentsIn returns the list that a component has in a leaf's dictionary.
func componentsIn(t *testing.T, c *Config, l *message.LeafNode, id message.ComponentID) required {
	t.Helper()
	d, err := c.dictionary(l.Extensions)
	if err != nil {
		t.Fatal(err)
	}
	r, err := components(d, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLeafAdvertisesComponents: "Every implementation that advertises support for the
// app_data_dictionary extension MUST understand and advertise the app_components
// component ..., and it MUST understand the safe_aad component"
// (draft-ietf-mls-extensions-10, Attaching Application Data to MLS Messages).
func TestLeafAdvertisesComponents(t *testing.T) {
	t.Parallel()
	points := &message.DefaultCodePoints
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withNotes)
	w.commit("0", CommitOptions{Path: true}, w.keyPackage("1"))
	for i, l := range w.groups["0"].Tree().All() {
		known := componentsIn(t, w.cfg, l, points.AppComponents)
		want := message.ComponentsList{points.AppComponents, points.SafeAAD, points.LastResortKeyPackage, notes, notes + 1}
		if !known.present || !slices.Equal(known.list, want) {
			t.Errorf("leaf %d: app_components %v, want %v", i, known.list, want)
		}
		if aad := componentsIn(t, w.cfg, l, points.SafeAAD); !slices.Equal(aad.list, message.ComponentsList{notes}) {
			t.Errorf("leaf %d: safe_aad %v, want the notes", i, aad.list)
		}
	}

	// What a leaf is to have besides does not take that away, nor is it lost.
	p, err := w.groups["1"].Commit(now, CommitOptions{Path: true, Leaf: LeafChange{Extensions: message.Extensions{{Type: message.ExtensionApplicationID, Data: []byte{1, 'x'}}}}})
	if err != nil {
		t.Fatal(err)
	}
	l := p.Tree().Leaf(1)
	if len(l.Extensions) != 2 || !componentsIn(t, w.cfg, l, points.AppComponents).present {
		t.Errorf("changed leaf has extensions %v, want application_id and app_data_dictionary", l.Extensions)
	}

	// A client that does not support the dictionary does not speak of it.
	plain := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, nil)
	k := plain.keyPackage("1").Public.LeafNode
	if k.Capabilities.SupportsExtension(points.AppDataDictionary) || len(k.Extensions) != 0 {
		t.Errorf("leaf of a client without components: extensions %v, capabilities %v", k.Extensions, k.Capabilities.Extensions)
	}
	if _, err := plain.cfg.NewKeyPackage(now, plain.identity("1"), LeafOptions{LastResort: true}); err == nil {
		t.Error("a last-resort KeyPackage without app_data_dictionary was made")
	}
}

// TestComponentsGREASE: "A random selection of GREASE values SHOULD be included in
// any of these fields that would otherwise be present", and receivers ignore them
// (draft-ietf-mls-extensions-10, GREASE).
func TestComponentsGREASE(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withNotes)
	k, err := w.cfg.NewKeyPackage(now, w.identity("1"), LeafOptions{GREASE: true})
	if err != nil {
		t.Fatal(err)
	}
	l := &k.Public.LeafNode
	for _, id := range []message.ComponentID{message.DefaultCodePoints.AppComponents, message.DefaultCodePoints.SafeAAD} {
		if list := componentsIn(t, w.cfg, l, id).list; !slices.ContainsFunc(list, message.IsGREASE[message.ComponentID]) {
			t.Errorf("component %d lists %v, want a GREASE value among them", id, list)
		}
	}
	d, err := w.cfg.dictionary(l.Extensions)
	if err != nil || !slices.ContainsFunc(d, func(c message.ComponentData) bool { return message.IsGREASE(c.Component) }) {
		t.Errorf("dictionary %v, error %v, want a GREASE component", d, err)
	}
	w.commit("0", CommitOptions{}, k)
}

// TestAppComponentsRequired: who creates or joins a group supports what it requires.
func TestAppComponentsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withNotes)
	if _, err := New(w.cfg, now, w.identity("0"), []byte("other"), GroupOptions{Extensions: requiringComponents(w.cfg, 0x9999)}); !errors.Is(err, CheckAppComponents) {
		t.Errorf("a group that its creator does not support: error %v, want CheckAppComponents", err)
	}
	g, err := New(w.cfg, now, w.identity("0"), []byte("other"), GroupOptions{Extensions: requiringComponents(w.cfg, notes)})
	if err != nil {
		t.Fatal(err)
	}
	info, err := g.GroupInfo(GroupInfoOptions{External: true})
	if err != nil {
		t.Fatal(err)
	}
	less := *w.cfg
	less.Components = map[message.ComponentID]Component{}
	if _, err := JoinExternal(&less, now, w.identity("1"), info, ExternalOptions{}); !errors.Is(err, CheckAppComponents) {
		t.Errorf("external commit of a client that lacks a component: error %v, want CheckAppComponents", err)
	}
	if _, err := JoinExternal(w.cfg, now, w.identity("1"), info, ExternalOptions{}); err != nil {
		t.Errorf("external commit of a client that has it: %v", err)
	}
}

// TestUnchangedListsAreNotLookedUp: a change of other data in the dictionary asks no
// leaf again.
func TestUnchangedListsAreNotLookedUp(t *testing.T) {
	t.Parallel()
	c := &Config{}
	list := componentsList(notes)
	a := c.needsOf(dictionaryOf(c, nil, message.ComponentData{Component: 1, Data: list}))
	b := c.needsOf(dictionaryOf(c, nil, message.ComponentData{Component: 1, Data: list}, message.ComponentData{Component: notes, Data: []byte("x")}))
	other := c.needsOf(dictionaryOf(c, nil, message.ComponentData{Component: 1, Data: must(message.ComponentsList{})}))
	if a.err != nil || b.err != nil || other.err != nil {
		t.Fatal(a.err, b.err, other.err)
	}
	if !a.sameLists(b) || a.sameLists(other) {
		t.Errorf("sameLists: %v and %v, want true and false", a.sameLists(b), a.sameLists(other))
	}
}

// TestBadKeysOfAllSuites: a KeyPackage with a key that nobody can encrypt to is
// refused whatever the curve (RFC 9180, Section 7.1.4).
func TestBadKeysOfAllSuites(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		w := newWorld(t, id, nil)
		for what, key := range map[string]func(*message.KeyPackage) *[]byte{
			"encryption_key": func(k *message.KeyPackage) *[]byte { return &k.LeafNode.EncryptionKey },
			"init_key":       func(k *message.KeyPackage) *[]byte { return &k.InitKey },
		} {
			k := w.keyPackage("1")
			bad := slices.Clone(*key(&k.Public))
			clear(bad[1:]) // of order 1 to 4, or off the curve
			if len(bad) < 60 {
				bad[0] = 1
			}
			*key(&k.Public) = bad
			if err := w.cfg.CheckKeyPackage(now, &resign(t, w.cfg.Suite, k).Public); !errors.Is(err, CheckKey) {
				t.Errorf("suite %d, %s %x: error %v, want CheckKey", id, what, bad, err)
			}
		}
	}
}
