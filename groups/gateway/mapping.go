package gateway

import (
	"fmt"
	"strings"
)

// Fate is what becomes of something on its way across.
type Fate uint8

// The fates.
const (
	Kept    Fate = iota // the other side has the same thing
	Changed             // it arrives as something else, or without a part of it
	Gone                // it does not arrive
)

// String returns the fate in a word.
func (f Fate) String() string { return [...]string{"kept", "changed", "lost"}[f] }

// Row says what becomes of one kind of content. A row without losses is kept.
type Row struct {
	Direction Direction
	What      string
	Fate      Fate
	How       string
	Losses    []Loss // that are counted
}

// Mapping is all kinds of content, those of draft-ietf-mimi-content-09 on their way to
// Signal and those of package dma on theirs to a room, in the order of MAPPING.md.
var Mapping = []Row{
	{ToSignal, "plain text", Kept, "text, behind its sender's name", nil},
	{ToSignal, "text in GFM-MIMI", Changed, "text: its source", []Loss{LossMarkup}},
	{ToSignal, "text of more than 64 KiB", Changed, "cut off, which it says", []Loss{LossLength}},
	{ToSignal, "other content in the message, such as HTML", Gone, "its type and size in words", []Loss{LossType}},
	{ToSignal, "alternatives (chooseOne)", Kept, "the best that is text or a medium", nil},
	{ToSignal, "several parts (processAll)", Kept, "a message for each", nil},
	{ToSignal, "more parts than Limits.Parts", Changed, "the first ones, and how many more there are", []Loss{LossParts}},
	{ToSignal, "reply", Kept, "reply", nil},
	{ToSignal, "reply to what the chat does not have", Changed, "a message that says so", []Loss{LossReply}},
	{ToSignal, "reaction, in a room of two", Kept, "reaction", nil},
	{ToSignal, "one more reaction to the same message", Changed, "a reply in words", []Loss{LossReaction}},
	{ToSignal, "reaction, in a larger room", Changed, "a reply in words, since the chat cannot show whose it is", []Loss{LossReaction}},
	{ToSignal, "several emojis as one reaction", Changed, "a reply in words", []Loss{LossReaction}},
	{ToSignal, "reaction that is shown as one, changed", Kept, "reaction", nil},
	{ToSignal, "reaction that is shown as one, taken back", Kept, "reaction revoked", nil},
	{ToSignal, "other reaction, taken back", Changed, "a message in words", []Loss{LossReaction}},
	{ToSignal, "edit", Changed, "a reply with the new text", []Loss{LossEdit}},
	{ToSignal, "deletion", Changed, "a reply that says so; the message stays", []Loss{LossDelete}},
	{ToSignal, "external part: picture, sound, video, file", Kept, "image, voice, video or file, carried over by a Transfer", nil},
	{ToSignal, "external part too large to carry over", Gone, "its type and size in words", []Loss{LossMedium}},
	{ToSignal, "message that expires", Changed, "it says when it should be deleted", []Loss{LossExpiry}},
	{ToSignal, "message of a topic", Changed, "without its topic", []Loss{LossTopic}},
	{ToSignal, "language tag, unknown extension", Changed, "without", []Loss{LossDetail}},
	{ToSignal, "status report", Gone, "nothing, as the terms say", []Loss{LossReceipt}},
	{ToSignal, "what is no MIMI content", Gone, "that there was something", []Loss{LossUnreadable}},

	{ToRoom, "text", Kept, "plain text", nil},
	{ToRoom, "reply", Kept, "reply to the newest version", nil},
	{ToRoom, "reply to what the room does not know", Changed, "a message without its reference; the user is told", []Loss{LossReply}},
	{ToRoom, "reaction", Kept, "reaction", nil},
	{ToRoom, "another reaction in its place", Kept, "edit of the reaction", nil},
	{ToRoom, "reaction revoked", Kept, "reaction taken back", nil},
	{ToRoom, "reaction to what the room does not know", Gone, "the user is told", []Loss{LossReaction}},
	{ToRoom, "/edit, in answer to an own message", Kept, "edit", nil},
	{ToRoom, "/delete, in answer to an own message", Kept, "deletion", nil},
	{ToRoom, "/edit or /delete, in answer to anything else", Gone, "the user is told", []Loss{LossEdit}},
	{ToRoom, "image, voice, video, file", Kept, "external part, carried over by a Transfer, and its caption as text", nil},
	{ToRoom, "thumbnail of a medium", Changed, "the medium without it", []Loss{LossThumbnail}},
	{ToRoom, "medium too large to carry over", Gone, "the user is told", []Loss{LossMedium}},
	{ToRoom, "read receipt", Gone, "nothing, as the terms say", []Loss{LossReceipt}},
	{ToRoom, "typing", Gone, "nothing, as the terms say", []Loss{LossTyping}},
	{ToRoom, "what is no content", Gone, "the user is told", []Loss{LossUnreadable}},
}

// Markdown returns the mapping as MAPPING.md has it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# What becomes of content between Signal and MIMI\n\n" +
		"`Mapping` in mapping.go, as a table; `TestMapping` holds each row against the code.\n" +
		"What is counted is the loss that a `Lost` event names. MIMI content is that of\n" +
		"draft-ietf-mimi-content-09; the schema of Signal content at a gatekeeper is not public,\n" +
		"and so is the assumed one of `protocols/dma`: it knows text, four kinds of media,\n" +
		"reactions and replies, and neither edits nor deletions. For those there are commands.\n")
	for _, d := range []Direction{ToSignal, ToRoom} {
		title := map[Direction]string{ToSignal: "From a room to Signal", ToRoom: "From Signal to a room"}[d]
		fmt.Fprintf(&b, "\n## %s\n\n| what | fate | what arrives | counted |\n| --- | --- | --- | --- |\n", title)
		for _, r := range Mapping {
			if r.Direction != d {
				continue
			}
			var counted []string
			for _, l := range r.Losses {
				counted = append(counted, l.String())
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.What, r.Fate, r.How, strings.Join(counted, ", "))
		}
	}
	b.WriteString("\nWho joined, who left and what the room is called are told in words.\n")
	return b.String()
}
