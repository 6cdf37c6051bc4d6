package gateway

import "fmt"

// Loss is what a translation could not carry over.
type Loss uint8

// The losses, and how the user is told of each.
const (
	LossReply      Loss = 1 + iota // what it answers is not known here: in words
	LossMarkup                     // Markdown is shown by its source: in the terms
	LossEdit                       // a changed message cannot be changed there: in words
	LossDelete                     // a message taken back stays there: in words
	LossReaction                   // a reaction is not shown as one: in words
	LossExpiry                     // it will not be deleted there by itself: in words
	LossTopic                      // the topic: in the terms
	LossDetail                     // language and extensions: in the terms
	LossType                       // content that the other side cannot show: in words
	LossLength                     // what is too long is cut off: in words
	LossParts                      // a message of very many parts: in words
	LossMedium                     // a medium that could not be carried over: in words
	LossThumbnail                  // the preview of a medium: in the terms
	LossReceipt                    // that a message was read: in the terms
	LossTyping                     // that somebody is typing: in the terms
	LossUnreadable                 // it is no content at all: in words
	LossRefused                    // the other side did not take it: in words where that can be
	lossEnd
)

var lossNames = [...]string{
	LossReply: "reference", LossMarkup: "markup", LossEdit: "edit", LossDelete: "deletion", LossReaction: "reaction",
	LossExpiry: "expiry", LossTopic: "topic", LossDetail: "language or extension", LossType: "content type", LossLength: "length",
	LossParts: "parts", LossMedium: "medium", LossThumbnail: "thumbnail", LossReceipt: "read receipt", LossTyping: "typing",
	LossUnreadable: "unreadable", LossRefused: "refused",
}

// String returns a word for what is lost.
func (l Loss) String() string {
	if l == 0 || l >= lossEnd {
		return fmt.Sprintf("Loss(%d)", uint8(l))
	}
	return lossNames[l]
}

// ByTerms reports whether the terms tell of all losses of the kind at once.
func (l Loss) ByTerms() bool {
	switch l {
	case LossMarkup, LossTopic, LossDetail, LossThumbnail, LossReceipt, LossTyping:
		return true
	}
	return false
}
