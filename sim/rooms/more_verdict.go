package rooms

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// promises are those of what [PlayAll] plays.
func (s *Story) promisesMore() []promise {
	return []promise{
		{"Xavier and Yolanda were found as they wish, and Zach by nobody", s.misfound},
		{"x.example gave out a KeyPackage once, while there was consent", s.unasked},
		{"the hub's frank proves what Xavier said, and nothing else", s.unproven},
	}
}

// misfound compares what Alice's queries found with what the users let be found.
func (s *Story) misfound() (list []string) {
	want := []string{"xavier", "notFound", "yolanda", "notFound"}
	var got []string
	for _, x := range s.alice.Events {
		if e, ok := x.Event.(member.Found); ok && slices.Contains(s.more.finds, e.ID) {
			got = append(got, found(e.Response))
		}
	}
	if !slices.Equal(got, want) {
		list = append(list, fmt.Sprintf("queries found %q, want %q", got, want))
	}
	return list
}

// unasked looks at what x.example gave out, and at how Alice's attempts ended that she
// made without consent.
func (s *Story) unasked() (list []string) {
	given := 0
	for _, f := range s.World.frames {
		if f.From != "x.example" || f.Kind != Response || f.Endpoint != mimi.EndpointKeyMaterial || f.Struct == "" {
			continue
		}
		m, err := mimi.ParseKeyMaterialResponse(f.Body)
		if err != nil {
			list = append(list, fmt.Sprintf("frame %d: %v", f.Number, err))
			continue
		}
		n := 0
		for i := range m.Clients {
			if m.Clients[i].KeyPackage != nil {
				n++
			}
		}
		given += n
		if n > 0 && (f.Number <= s.more.granted || s.more.ended > 0 && f.Number > s.more.ended) {
			list = append(list, fmt.Sprintf("%s in frame %d, without consent", plural(n, "KeyPackage"), f.Number))
		}
	}
	if given != 1 {
		list = append(list, fmt.Sprintf("%d given out, want 1", given))
	}
	if n := len(s.more.refused); n != 2 {
		list = append(list, fmt.Sprintf("Alice tried it %d times without consent, want 2", n))
	}
	for _, id := range s.more.refused {
		var code *member.Error
		if e, ok := s.failure(id); !ok {
			list = append(list, fmt.Sprintf("Alice's attempt %d did not fail", id))
		} else if !errors.As(e.Why, &code) || code.Code != mimi.UserNoConsent && code.Code != mimi.UserNoConsentForThisRoom {
			list = append(list, fmt.Sprintf("Alice's attempt %d failed for another reason: %v", id, e.Why))
		}
	}
	return list
}

// failure returns how an intention of Alice's failed.
func (s *Story) failure(id uint64) (member.Failed, bool) {
	for _, x := range s.alice.Events {
		if e, ok := x.Event.(member.Failed); ok && e.ID == id {
			return e, true
		}
	}
	return member.Failed{}, false
}

// unproven looks at what the hub made of the reports.
func (s *Story) unproven() (list []string) {
	reports := s.alice.provider.Reports
	if len(reports) != 2 {
		return []string{fmt.Sprintf("the hub has %s, want 2", plural(len(reports), "report"))}
	}
	for i, r := range reports {
		var tag *mimi.FrankError
		switch err := r.Franks[0]; {
		case i == 0 && err != nil:
			list = append(list, fmt.Sprintf("what Xavier said is not proven: %v", err))
		case i == 1 && !errors.As(err, &tag):
			list = append(list, fmt.Sprintf("what Xavier did not say: %v, want its frank refused", err))
		}
	}
	return list
}
