package content_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// seeded is a suite whose randomness repeats, for examples.
func seeded() suite.Suite {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, "example")
	if err != nil {
		panic(err)
	}
	return s
}

// A message is written, read, and named by its ID.
func ExampleMessage() {
	m, err := content.New(seeded(), alice, room, content.Markdown("We shipped *release 2*!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := m.Marshal()
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := content.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	sender, _ := got.SenderURI()
	text, _ := got.Body.PlainText()
	id, err := got.ID(sender, room)
	fmt.Printf("%d bytes: a %s from %s\n%s\n%.8s… %v\n", len(b), got.Kind(), sender, text, id, err)
	// Output:
	// 141 bytes: a message from mimi://a.example/u/alice
	// We shipped *release 2*!
	// 01399c59… <nil>
}

// What is not deterministic CBOR is refused, with the place and the rule.
func ExampleParse() {
	_, err := content.Parse([]byte{0x87, 0x58, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf6})
	fmt.Println(err)
	fmt.Println(errors.Is(err, content.CheckShortest))
	// Output:
	// content: at byte 1, salt: C3: not in its shortest form: 16 in 2 bytes
	// true
}

// An edit, a reaction and somebody who edits what is not theirs.
func ExampleTimeline() {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s, line := seeded(), content.Timeline{Room: room}
	send := func(sender string, body content.NestedPart, change func(*content.Message)) content.MessageID {
		m, err := content.New(s, sender, room, body)
		if err != nil {
			fmt.Println(err)
			return content.MessageID{}
		}
		change(m)
		b, err := m.Marshal()
		if err != nil {
			fmt.Println(err)
			return content.MessageID{}
		}
		now = now.Add(time.Second)
		in, err := content.Receive(sender, room, now, b)
		if err != nil {
			fmt.Println(err)
			return content.MessageID{}
		}
		if err := line.Add(now, in); err != nil {
			fmt.Println("refused:", errors.Is(err, content.CheckNotAuthor))
		}
		return in.ID
	}
	first := send(alice, content.Text("Helo"), func(*content.Message) {})
	send(alice, content.Text("Hello"), func(m *content.Message) { m.Replaces = first })
	send(bob, content.React("❤"), func(m *content.Message) { m.InReplyTo = first })
	send(bob, content.Deletion(), func(m *content.Message) { m.Replaces = first })
	for _, e := range line.Entries() {
		text, _ := e.Current().Body.PlainText()
		fmt.Println(e.Sender, text, e.Edited(), len(e.Reactions))
	}
	// Output:
	// refused: true
	// mimi://a.example/u/alice Hello true 1
}

// An attachment is encrypted before it is uploaded; the key travels in the message.
func ExampleSealExternal() {
	s := seeded()
	part, ciphertext, err := content.SealExternal(s, []byte("a picture"))
	if err != nil {
		fmt.Println(err)
		return
	}
	part.ContentType, part.URL, part.Filename = "image/png", "https://a.example/1", "cat.png"
	got, err := part.Open(s, ciphertext)
	fmt.Printf("%d bytes, %s: %s %v\n", part.Size, part.EncAlg, got, err)
	// Output: 25 bytes, AEAD_AES_128_GCM: a picture <nil>
}

// Read receipts for two messages.
func ExampleStatusReport() {
	report := content.StatusReport{
		{MessageID: content.MessageID{1, 2}, Status: content.StatusRead},
		{MessageID: content.MessageID{1, 3}, Status: content.StatusExpired},
	}
	b, err := report.Marshal()
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := content.ParseStatusReport(b)
	fmt.Println(len(b), got[0].Status, got[1].Status, err)
	// Output: 73 read expired <nil>
}
