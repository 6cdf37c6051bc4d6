package signal

// MaxPadding is the most that [Pad] adds. WhatsApp's clients draw the length
// from 1 to 15 or 16, depending on the client, to blur the sizes of contents.
const MaxPadding = 16

// Pad appends n bytes of value n to content, as WhatsApp's clients do before
// they encrypt. 1 <= n <= MaxPadding; how n is drawn is the caller's matter.
func Pad(content []byte, n int) []byte {
	return AppendPadding(append(make([]byte, 0, len(content)+n), content...), n)
}

// AppendPadding is Pad for a content that may be overwritten: it writes behind it if
// there is room.
func AppendPadding(content []byte, n int) []byte {
	if n < 1 || n > MaxPadding {
		panic("signal: padding takes 1 to 16 bytes")
	}
	for range n {
		content = append(content, byte(n))
	}
	return content
}

// Unpad removes what [Pad] added. The result aliases padded.
func Unpad(padded []byte) ([]byte, error) {
	const what = "content padding"
	if len(padded) == 0 {
		return nil, malformed(what, "empty")
	}
	n := int(padded[len(padded)-1])
	if n < 1 || n > MaxPadding || n > len(padded) {
		return nil, malformed(what, "length %d after %d bytes", n, len(padded))
	}
	content := padded[:len(padded)-n]
	for _, b := range padded[len(content):] {
		if int(b) != n {
			return nil, malformed(what, "byte %#02x, expected %#02x", b, n)
		}
	}
	return content, nil
}
