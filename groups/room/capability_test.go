package room

import (
	"strings"
	"testing"
)

// TestRegistry: the values of the draft's registry lie in its blocks, ascend and
// are as many as its rows; names are those of the draft's prose.
func TestRegistry(t *testing.T) {
	t.Parallel()
	blocks := map[Capability]int{0x00: 18, 0x01: 18, 0x02: 12, 0x03: 9, 0x04: 8, 0x05: 6, 0x06: 6}
	got := map[Capability]int{}
	reserved := 0
	names := map[string]bool{}
	for i, c := range Capabilities() {
		got[c>>8]++
		if c.Reserved() {
			reserved++
		}
		if i > 0 && c <= Capabilities()[i-1] {
			t.Errorf("%v = %#04x does not ascend", c, uint16(c))
		}
		if !c.Registered() || names[c.String()] || !strings.HasPrefix(c.String(), "can") {
			t.Errorf("%#04x is called %v, want a name of its own", uint16(c), c)
		}
		names[c.String()] = true
		if back, err := ParseCapability(c.String()); err != nil || back != c {
			t.Errorf("%v is read back as %v, %v", c, back, err)
		}
	}
	for block, n := range blocks {
		if got[block] != n {
			t.Errorf("block %#02x00 has %d capabilities, want %d", uint16(block), got[block], n)
		}
	}
	if len(Capabilities()) != 77 || reserved != 18 {
		t.Errorf("%d capabilities, %d of them reserved, want 77 and 18", len(Capabilities()), reserved)
	}
	// Some of each block, typed off the draft once more.
	for value, name := range map[Capability]string{
		0x0000: "canAddParticipant", 0x0009: "canUseJoinCode", 0x000b: "canUnBan", 0x0010: "canChangeOwnRole",
		0x0100: "canSendMessage", 0x010f: "canEditOtherTopic", 0x0200: "canUploadImage", 0x020b: "canCopyLink",
		0x0304: "canChangeRoomMood", 0x0383: "canChangeOwnAvatar", 0x0407: "canViewSharedScreen", 0x0501: "canDestroyRoom",
		0x0504: "canChangePreauthorizedUserList", 0x0601: "canSendMLSReinitProposal", 0x0605: "canSendMLSExternalCommit",
	} {
		if value.String() != name {
			t.Errorf("%#04x is called %v, want %s", uint16(value), value, name)
		}
	}
	if s := Capability(0xf123); s.String() != "0xf123" || s.Registered() || s.Reserved() {
		t.Errorf("a private capability is called %v, registered %t, reserved %t", s, s.Registered(), s.Reserved())
	}
	for name, ok := range map[string]bool{"0xf123": true, "canFly": false, "0x0000": false, "0xF123": false, "": false, "0x12345": false} {
		if c, err := ParseCapability(name); (err == nil) != ok {
			t.Errorf("%q is read as %v, %v", name, c, err)
		}
	}
	for c, private := range map[Capability]bool{0xefff: false, 0xf000: true, 0xffff: true} {
		if c.Private() != private {
			t.Errorf("%v is private: %t, want %t", c, c.Private(), private)
		}
	}
}
