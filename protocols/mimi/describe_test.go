package mimi

import (
	"strings"
	"testing"
)

// TestDescribe: one line for each sample of a body, without what strangers could put
// on a screen.
func TestDescribe(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"KeyMaterialRequest":                       `KeyMaterialRequest by "ru" for "tu" in "ro", suites 1 2`,
		"KeyMaterialResponse":                      `KeyMaterialResponse for "tu": partialSuccess, 1 keyMaterialExhausted, 1 nothingCompatible`,
		"UpdateRequest":                            `UpdateRequest: proposal remove by member of epoch 1`,
		"UpdateRoomResponse/success":               `UpdateRoomResponse: success at 1717986918405`,
		"UpdateRoomResponse/wrongEpoch":            `UpdateRoomResponse: wrongEpoch, epoch is 7, "old"`,
		"UpdateRoomResponse/notAllowed":            `UpdateRoomResponse: notAllowed, "no"`,
		"UpdateRoomResponse/invalidProposal":       `UpdateRoomResponse: invalidProposal, 2 proposals`,
		"SubmitMessageRequest":                     `SubmitMessageRequest by "su": application of epoch 1`,
		"SubmitMessageResponse/accepted":           `SubmitMessageResponse: accepted at 1717986918405, franked`,
		"SubmitMessageResponse/accepted, no frank": `SubmitMessageResponse: accepted at 1717986918405`,
		"SubmitMessageResponse/notAllowed":         `SubmitMessageResponse: notAllowed`,
		"SubmitMessageResponse/epochTooOld":        `SubmitMessageResponse: epochTooOld, epoch is 7`,
		"FanoutMessage/application":                `FanoutMessage: application of epoch 1, franked at 1717986918405`,
		"FanoutMessage/application, no frank":      `FanoutMessage: application of epoch 1 at 1717986918405`,
		"FanoutMessage/welcome":                    `FanoutMessage: welcome for 1, ratchet tree full at 1717986918405`,
		"FanoutMessage/proposal":                   `FanoutMessage: proposal remove by member of epoch 1, 1 more proposals at 1717986918405`,
		"FanoutMessage/commit":                     `FanoutMessage: commit of 1 proposals by member of epoch 1, 2 external proposals at 1717986918405`,
		"GroupInfoRequest":                         `GroupInfoRequest, suite 2, with a joining code`,
		"GroupInfoResponse/success":                `GroupInfoResponse in "ro": success`,
		"GroupInfoResponse/notAuthorized":          `GroupInfoResponse in "ro": notAuthorized`,
		"GroupInfoResponse/noSuchRoom":             `GroupInfoResponse in "ro": noSuchRoom`,
		"ConsentEntry/cancel":                      `ConsentEntry: cancel by "ru" for "tu"`,
		"ConsentEntry/request":                     `ConsentEntry: request by "ru" for "tu" in "ro"`,
		"ConsentEntry/grant":                       `ConsentEntry: grant by "ru" for "tu", with 2 key packages`,
		"ConsentEntry/revoke":                      `ConsentEntry: revoke by "ru" for "tu"`,
		"IdentifierRequest":                        `IdentifierRequest: nick "al" and vcardField "X"`,
		"IdentifierResponse":                       `IdentifierResponse: success, 2 URIs, 1 profiles`,
		"AbuseReport":                              `AbuseReport by "ru" of "au": 1 messages`,
	}
	described := 0
	for _, tt := range types {
		typ, _, _ := strings.Cut(tt.name, "/")
		for i := range Endpoints {
			e := &Endpoints[i]
			parse := e.ParseRequest
			switch typ {
			case e.Response:
				parse = e.ParseResponse
			case e.Request:
			default:
				continue
			}
			m, err := parse([]byte(tt.sample), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := Describe(m); got != want[tt.name] {
				t.Errorf("%s is described as\n%s, want\n%s", tt.name, got, want[tt.name])
			}
			described++
			break
		}
	}
	if described != len(want) {
		t.Errorf("%d samples are described, want %d", described, len(want))
	}
	commit, err := ParseUpdateRequest([]byte(sampleCommit+"\x01"+sampleWelcome+"\x01"+sampleGroupInfo+"\x04"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Describe(commit), "UpdateRequest: commit of 1 proposals by member of epoch 1, Welcome for 1, GroupInfo full, ratchet tree distributionService"; got != want {
		t.Errorf("described as %s, want %s", got, want)
	}
	hostile := &AbuseReport{AllegedAbuserURI: IdentifierURI("\x1b[31m\u202e" + strings.Repeat("x", 1000))}
	if got := Describe(hostile); strings.ContainsAny(got, "\x1b\u202e") || len(got) > 200 || !strings.HasPrefix(got, "AbuseReport by nobody of ") {
		t.Errorf("described as %q", got)
	}
	if got := Describe(&ConsentEntry{RequesterURI: bob, TargetURI: "mimi://B.example/u/bob"}); got != "ConsentEntry: cancel by mimi://b.example/u/bob for mimi://b.example/u/bob" {
		t.Errorf("described as %s", got)
	}
	if got := Describe(7); got != "no body of MIMI: int" {
		t.Errorf("described as %s", got)
	}
}
