package follower

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// A damaged record is named.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.publish(clientB1, 1)
	l.claim(clubhouse)
	l.decides(mimi.ConsentGrant, nil)
	l.notify(l.application(1))
	var records []protocols.Record
	for k, v := range l.records {
		records = append(records, protocols.Record{Key: k, Value: v})
	}
	if _, err := Restore(l.cfg, records); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for i, r := range records {
		kind, _, _ := strings.Cut(r.Key, "|")
		kinds[kind] = true
		for name, damaged := range map[string]protocols.Record{
			"short value":   {Key: r.Key, Value: r.Value[:max(0, len(r.Value)-1)]},
			"key too short": {Key: kind, Value: r.Value},
			"key too long":  {Key: r.Key + "|x", Value: r.Value},
			"another name":  {Key: kind + "|%" + r.Key[len(kind)+1:], Value: r.Value},
		} {
			list := append([]protocols.Record(nil), records...)
			list[i] = damaged
			_, err := Restore(l.cfg, list)
			if name == "short value" && (kind == "log" || kind == "box" || kind == "client") {
				continue // their values have no length of their own
			}
			if err == nil || !strings.Contains(err.Error(), damaged.Key) {
				t.Errorf("%s: %s: got error %v, want one that names the record", r.Key, name, err)
			}
		}
	}
	if len(kinds) < 8 {
		t.Errorf("records of %d kinds, want most of them: %v", len(kinds), kinds)
	}
	if _, err := Restore(l.cfg, []protocols.Record{{Key: "other|x"}}); err == nil || !strings.Contains(err.Error(), "no kind") {
		t.Errorf("got error %v", err)
	}
}
