package mimi

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var (
	entryHead   = regexp.MustCompile(`(?m)^## (\d+)\. (.+)$`)
	entryQuote  = regexp.MustCompile(`(?m)^> (.+)$`)
	entryTest   = regexp.MustCompile(`(?m)^Test: (.+)$`)
	entryPkg    = regexp.MustCompile("(?m)^Package: `(groups/[a-z]+)`$")
	testName    = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc    = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	codeCite    = regexp.MustCompile(`deviations? (\d+)(?: and (\d+))?`)
	longestCite = 90
)

// TestDeviations: the entries of DEVIATIONS.md are numbered without gaps; each has a
// short quote, and a test that exists or a package that decides; and what code cites
// is there.
func TestDeviations(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("DEVIATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, cited := sources(t)
	heads := entryHead.FindAllStringSubmatchIndex(string(b), -1)
	for i, h := range heads {
		number := string(b[h[2]:h[3]])
		if number != fmt.Sprint(i+1) {
			t.Errorf("entry %s is number %d", number, i+1)
		}
		end := len(b)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		body := string(b[h[1]:end])
		q := entryQuote.FindAllStringSubmatch(body, -1)
		if len(q) != 1 || len(q[0][1]) > longestCite {
			t.Errorf("entry %s has %d quotes %q, want one of at most %d bytes", number, len(q), q, longestCite)
		}
		line := entryTest.FindStringSubmatch(body)
		if line == nil && entryPkg.MatchString(body) {
			continue
		}
		if line == nil {
			t.Errorf("entry %s names no test and no package", number)
			continue
		}
		names := testName.FindAllStringSubmatch(line[1], -1)
		if len(names) == 0 {
			t.Errorf("entry %s: %q names no test", number, line[1])
		}
		for _, n := range names {
			if !slices.Contains(tests, n[1]) {
				t.Errorf("entry %s: there is no test %s", number, n[1])
			}
		}
	}
	for _, c := range cited {
		if c < 1 || c > len(heads) {
			t.Errorf("deviation %d is cited, there are %d", c, len(heads))
		}
	}
	if len(cited) < 20 {
		t.Errorf("%d places cite deviations, want more", len(cited))
	}
}

// sources returns the tests of the package and the numbers that its code cites.
func sources(t *testing.T) (tests []string, cited []int) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunc.FindAllStringSubmatch(string(b), -1) {
			tests = append(tests, m[1])
		}
		if f.Name() == "deviations_test.go" || f.Name() == "doc.go" {
			continue
		}
		for _, m := range codeCite.FindAllStringSubmatch(string(b), -1) {
			for _, s := range m[1:] {
				if s != "" {
					n := 0
					fmt.Sscan(s, &n)
					cited = append(cited, n)
				}
			}
		}
	}
	return tests, cited
}

// TestSubmitAccepted: deviation 1.
func TestSubmitAccepted(t *testing.T) {
	t.Parallel()
	m, err := ParseSubmitMessageResponse([]byte("\x01\x00" + sampleTime + "\x01" + sampleFrank))
	if err != nil || m.StatusCode != SubmitAccepted || m.StatusCode.String() != "accepted" || m.AcceptedTimestamp == 0 || m.Frank == nil {
		t.Errorf("read %+v, %v", m, err)
	}
}

// TestAppDataUpdate: deviation 2, by the numbers of the room.
func TestAppDataUpdate(t *testing.T) {
	t.Parallel()
	body := func(number string) []byte {
		return []byte("\x00\x01\x00\x01" + sampleHead + "\x02" + number + "\x00\x22\x01\x01u" + "\x01s\x01m" + "\x00")
	}
	other := DefaultCodePoints
	other.MLS.AppDataUpdate = 0xf7a0
	for number, points := range map[string]*CodePoints{"\x00\x08": nil, "\xf7\xa0": &other} {
		m, err := ParseUpdateRequest(body(number), points)
		if err != nil {
			t.Fatal(err)
		}
		u, ok := m.Bundle.ProposalOrCommit.Public.Content.Proposal.Body.(*message.AppDataUpdate)
		if !ok || u.Component != points.orDefault().ParticipantList || string(u.Update) != "u" {
			t.Errorf("number %x: read %+v", number, m.Bundle.ProposalOrCommit.Public.Content.Proposal)
		}
	}
}

// TestKeyMaterialNotFresh: deviation 4. What is signed is what the request says, and
// nothing that makes one request differ from the next.
func TestKeyMaterialNotFresh(t *testing.T) {
	t.Parallel()
	m, err := ParseKeyMaterialRequest([]byte(sampleKeyRequest))
	if err != nil {
		t.Fatal(err)
	}
	want := "\x01\x02ru\x02tu\x02ro\x04\x00\x01\x00\x02" + sampleRequired + "\x01k" + sampleCredential
	if got, err := m.TBS(); err != nil || string(got) != want {
		t.Errorf("signs %x, %v, want %x", got, err, want)
	}
}

// TestNoProtocolByte: deviation 8.
func TestNoProtocolByte(t *testing.T) {
	t.Parallel()
	if _, err := ParseUpdateRequest([]byte(sampleProposal+"\x00"), nil); err != nil {
		t.Error(err)
	}
	if _, err := ParseUpdateRequest([]byte("\x01"+sampleProposal+"\x00"), nil); err == nil {
		t.Error("an UpdateRequest with a protocol was read")
	}
	if _, err := ParseFanoutMessages([]byte(sampleTime+sampleProposal+"\x00"), nil); err != nil {
		t.Error(err)
	}
	if _, err := ParseFanoutMessages([]byte(sampleTime+"\x01"+sampleProposal+"\x00"), nil); err == nil {
		t.Error("a FanoutMessage with a protocol was read")
	}
}

// TestFanoutCases: deviation 9, and what may be in lists of proposals.
func TestFanoutCases(t *testing.T) {
	t.Parallel()
	kinds := map[string]FanoutKind{
		samplePrivate + "\x00":                      FanoutApplication,
		"\x00\x01\x00\x03" + sampleWelcome + "\x04": FanoutWelcome,
		sampleProposal + "\x00":                     FanoutProposal,
		sampleCommit + "\x00":                       FanoutCommit,
	}
	for body, want := range kinds {
		m, err := ParseFanoutMessages([]byte(sampleTime+body), nil)
		if err != nil || m[0].Kind() != want {
			t.Errorf("%q: %v, %v, want %s", body, m, err, want)
		}
	}
	application := "\x00\x01\x00\x01" + sampleHead + "\x01\x01x\x01s\x01m"
	for name, body := range map[string]string{
		"a PrivateMessage with a proposal":      strings.Replace(samplePrivate, "\x01\x01a\x01d", "\x02\x01a\x01d", 1) + "\x00",
		"a PrivateMessage with a commit":        strings.Replace(samplePrivate, "\x01\x01a\x01d", "\x03\x01a\x01d", 1) + "\x00",
		"a PublicMessage with application data": application + "\x00",
		"a GroupInfo":                           "\x00\x01\x00\x04" + sampleGroupInfo + "\x00",
		"a KeyPackage":                          "\x00\x01\x00\x05" + sampleKeyPackage + "\x00",
		"a commit among proposals":              sampleProposal + vector(sampleProposal+sampleCommit),
		"a commit among external proposals":     sampleCommit + vector(sampleCommit),
		"application data among proposals":      sampleProposal + vector(application),
		"a PrivateMessage among proposals":      sampleProposal + vector(samplePrivate),
	} {
		m, err := ParseFanoutMessages([]byte(sampleTime+body), nil)
		if err == nil || !strings.Contains(err.Error(), "want ") || errors.Is(err, wire.ErrTruncated) || errors.Is(err, wire.ErrTrailing) {
			t.Errorf("%s: %v, %v, want it refused for what it is", name, m, err)
		}
	}
	if _, err := ParseFanoutMessages(nil, nil); !errors.Is(err, errNoFanout) {
		t.Errorf("an empty body: %v, want %v", err, errNoFanout)
	}
	if _, err := MarshalFanoutMessages(nil); !errors.Is(err, errNoFanout) {
		t.Errorf("no messages: %v, want %v", err, errNoFanout)
	}
}

// TestWelcomeForms: deviation 10. One Welcome has four bytes more in a FanoutMessage.
func TestWelcomeForms(t *testing.T) {
	t.Parallel()
	u, err := ParseUpdateRequest([]byte(sampleCommit+"\x01"+sampleWelcome+"\x01"+sampleGroupInfo+"\x04"), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := FanoutMessage{Message: message.Message{Welcome: u.Bundle.Welcome}, RatchetTreeOption: u.Bundle.RatchetTreeOption}
	b, err := wire.Marshal(&f)
	if want := "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x01\x00\x03" + sampleWelcome + "\x04"; err != nil || string(b) != want {
		t.Errorf("fanned out as %x, %v, want %x", b, err, want)
	}
}

// TestEmptyURI: deviation 12.
func TestEmptyURI(t *testing.T) {
	t.Parallel()
	m, err := ParseKeyMaterialRequest([]byte(strings.Replace(sampleKeyRequest, "\x02ro", "\x00", 1)))
	if err != nil || m.RoomID != "" {
		t.Errorf("outside of a room: %v, %v", m, err)
	}
	r, err := ParseAbuseReport([]byte("\x00\x02au\x00\x00\x00\x00"))
	if err != nil || r.ReportingUser != "" {
		t.Errorf("a reporter who does not say: %v, %v", r, err)
	}
	if IdentifierURI("").Equal("") {
		t.Error("nobody is nobody else")
	}
}

// TestStrings: deviations 14 and 40.
func TestStrings(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{"": true, "zu alt": true, "übel ☹": true, "\xff": false, "a\x00b": false, "\xed\xa0\x80": false, "\n": true} {
		for name, tt := range map[string]struct {
			v    value
			body string
		}{
			"errorDescription":          {new(UpdateRoomResponse), "\x02" + vector(s)},
			"errorDescription, success": {new(UpdateRoomResponse), "\x00" + vector(s) + sampleTime},
			"searchValue":               {new(QueryElement), "\x01" + vector(s)},
			"fieldName":                 {new(ProfileField), "\x07" + vector(s) + "\x00"},
			"note":                      {new(AbuseReport), "\x00\x00\x00" + vector(s) + "\x00\x00"},
			"ratchet_tree_url":          {new(RatchetTreeOption), "\x02" + vector(s)},
		} {
			err := wire.Unmarshal([]byte(tt.body), tt.v)
			if ok != (err == nil) || !ok && !errors.Is(err, errText) {
				t.Errorf("%s %q: %v, want it read: %v", name, s, err, ok)
			}
		}
	}
	for name, v := range map[string]value{
		"errorDescription": &UpdateRoomResponse{ErrorDescription: "\xff"},
		"searchValue":      &QueryElement{SearchType: SearchNick, SearchValue: "a\x00"},
	} {
		if _, err := wire.Marshal(v); !errors.Is(err, errText) {
			t.Errorf("%s: %v, want %v", name, err, errText)
		}
	}
}

// TestSemiPrivateMessage: deviation 20. No wire format but those of RFC 9420 is read.
func TestSemiPrivateMessage(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"\x00\x00", "\x00\x06", "\x00\x07", "\x00\x08", "\xf0\x00"} {
		body := "\x00\x01" + format + sampleProposal[4:] + "\x00"
		if _, err := ParseUpdateRequest([]byte(body), nil); err == nil || !strings.Contains(err.Error(), "wire_format") {
			t.Errorf("wire format %x: %v, want it refused", format, err)
		}
	}
	for _, m := range []string{samplePrivate, "\x00\x01\x00\x03" + sampleWelcome} {
		if _, err := ParseUpdateRequest([]byte(m+"\x00"), nil); err == nil || !strings.Contains(err.Error(), "want an mls_public_message") {
			t.Errorf("%x: %v, want it refused for what it is", m, err)
		}
	}
}

// TestRatchetTreeNodes: deviation 21. What the option has is what a tree is parsed
// from, blanks included.
func TestRatchetTreeNodes(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "tree")
	leaf := "\x01\x01" + "\x01e\x01s" + sampleCredential + sampleCapabilities + "\x02\x00\x01g" // an Update's
	nodes := leaf + "\x00" + leaf[:3] + "f" + leaf[4:5] + "t" + leaf[6:]                        // with a blank parent
	body := "\x01" + vector(nodes)
	var o RatchetTreeOption
	if err := wire.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	if string(o.RatchetTree) != body[1:] {
		t.Errorf("the tree is %x, want %x", o.RatchetTree, body[1:])
	}
	if _, err := tree.Parse(s, o.RatchetTree); err != nil {
		t.Error(err)
	}
	if got, err := wire.Marshal(&o); err != nil || string(got) != body {
		t.Errorf("written as %x, %v, want %x", got, err, body)
	}
	for _, broken := range []string{"", "\x05", "\x00\x00", "\x40\x01x"} {
		o := RatchetTreeOption{Representation: TreeFull, RatchetTree: []byte(broken)}
		if b, err := wire.Marshal(&o); err == nil {
			t.Errorf("tree %x was written as %x", broken, b)
		}
	}
}

// TestNoTreeSignature: deviation 22. What revision -03 had behind a tree that is
// elsewhere is refused.
func TestNoTreeSignature(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"\x02" + vector("https://a.example/t"), "\x03"} {
		if err := wire.Unmarshal([]byte(body), new(RatchetTreeOption)); err != nil {
			t.Errorf("%q: %v", body, err)
		}
		if err := wire.Unmarshal([]byte(body+"\x01s"), new(RatchetTreeOption)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("%q with a signature: %v, want %v", body, err, wire.ErrTrailing)
		}
	}
}

// TestCodePoints: deviation 36, and the numbers in the IANA considerations.
func TestCodePoints(t *testing.T) {
	t.Parallel()
	p := (*CodePoints)(nil).orDefault()
	got := []message.ComponentID{p.FrankAAD, p.FrankingAgent, p.ParticipantList, p.RoomMetadata}
	if want := []message.ComponentID{0x0020, 0x0021, 0x0022, 0x0023}; !slices.Equal(got, want) {
		t.Errorf("components %#x, want %#x", got, want)
	}
	own := &CodePoints{FrankAAD: 0x8001}
	if own.orDefault() != own {
		t.Error("other numbers are not used")
	}
}

// TestFanoutFrank: deviation 43. A receiver verifies a frank with what is in the body
// and the path of notify.
func TestFanoutFrank(t *testing.T) {
	t.Parallel()
	f := newFranked(t, 1)
	aad, err := wire.Marshal((&FrankAAD{f.FrankingTag}).AAD(nil))
	if err != nil {
		t.Fatal(err)
	}
	b, err := MarshalFanoutMessages([]FanoutMessage{{
		Timestamp: when,
		Message:   message.Message{Private: &message.PrivateMessage{ContentType: message.ContentApplication, AuthenticatedData: aad}},
		Frank:     f.Frank,
	}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParseFanoutMessages(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &list[0]
	tag, err := FrankAADOf(in.Message.Private.AuthenticatedData, nil)
	if err != nil || tag == nil {
		t.Fatal(tag, err)
	}
	tmpl, err := ParseTemplate(&Endpoints[3], "https://b.example/notify/{roomId}")
	if err != nil {
		t.Fatal(err)
	}
	path, ok := tmpl.Match("/notify/mimi%3A%2F%2Fhub.example%2Fr%2Fclubhouse")
	if !ok {
		t.Fatal("the path does not match")
	}
	got := f.Received
	got.Frank, got.FrankingTag, got.AcceptedTimestamp, got.RoomID = in.Frank, tag.FrankingTag, in.Timestamp, IdentifierURI(path)
	if err := got.Verify(f.suite); err != nil {
		t.Error(err)
	}
}
