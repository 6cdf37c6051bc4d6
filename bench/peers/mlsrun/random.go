package mlsrun

import "fmt"

// deepRandom makes random changes: adds, removes, updates, external Commits,
// pre-shared keys and messages, by random members, mixed in one Commit or alone.
func deepRandom(t *table) {
	t.create("alice", "bob")
	next := 0
	for range t.steps {
		in := t.members()
		by := in[t.rng.IntN(len(in))].name
		switch t.rng.IntN(10) {
		case 0, 1:
			t.gossip()
		case 2:
			if len(in) < t.most {
				next++
				who := in[t.rng.IntN(len(in))].name
				t.external(fmt.Sprint("x", next), t.groupInfo(who, t.rng.IntN(2) == 0), false)
				continue
			}
			t.commit(by, commit{})
		case 3:
			id := fmt.Sprint("psk", t.rng.Uint32())
			for _, m := range in {
				t.psk(id, m.name)
			}
			t.commit(by, commit{values: values(externalPSK(id)), path: t.rng.IntN(2) == 0})
		case 4:
			t.commit(by, commit{})
		default:
			t.mix(by, &next)
		}
	}
}

// gossip lets every member send a message, which the others open in an order of
// their own.
func (t *table) gossip() {
	type said struct {
		by, text string
		b        []byte
	}
	var all []said
	for _, m := range t.members() {
		text := fmt.Sprintf("%s %d", m.name, t.rng.Uint32())
		all = append(all, said{m.name, text, t.say(m.name, text)})
	}
	for _, m := range t.members() {
		for _, i := range t.rng.Perm(len(all)) {
			if all[i].by != m.name {
				t.hear(m.name, all[i].b, all[i].text)
			}
		}
	}
}

// mix commits a random mixture of proposals.
func (t *table) mix(by string, next *int) {
	in := t.members()
	var o commit
	changed := map[string]bool{by: true}
	for range 1 + t.rng.IntN(3) {
		who := in[t.rng.IntN(len(in))].name
		target := in[t.rng.IntN(len(in))].name
		switch t.rng.IntN(3) {
		case 0:
			if len(in)+len(o.joiners)-len(o.removed) >= t.most {
				continue
			}
			*next++
			name := fmt.Sprint("m", *next)
			t.keyPackage(name)
			if t.rng.IntN(2) == 0 {
				o.values = append(o.values, add(t.actor(name)))
			} else {
				o.refs = append(o.refs, t.proposeAdd(who, name))
			}
			o.joiners = append(o.joiners, name)
		case 1:
			if changed[target] || len(in)-len(o.removed) <= 2 {
				continue
			}
			changed[target] = true
			if t.rng.IntN(2) == 0 {
				o.values = append(o.values, remove(target))
			} else {
				o.refs = append(o.refs, t.proposeRemove(who, target))
			}
			o.removed = append(o.removed, target)
		case 2:
			if changed[who] {
				continue
			}
			changed[who] = true
			o.refs = append(o.refs, t.proposeUpdate(who))
		}
	}
	o.path = t.rng.IntN(2) == 0
	t.commit(by, o)
}
