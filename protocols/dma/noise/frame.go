package noise

// lengthSize is the size of a frame's length in bytes.
const lengthSize = 3

// HeaderSize is the size of what stands before the body of a frame.
const HeaderSize = lengthSize

// MaxFrame is the longest body that a frame's length can name.
const MaxFrame = 1<<24 - 1

// Overhead is what Seal adds to a plaintext: the tag of AES-GCM.
const Overhead = 16

// Bounds of this implementation on the bodies of handshake frames, in bytes. A server
// allocates no more for a peer that has not authenticated itself.
const (
	MaxClientHello  = 256
	MaxServerHello  = 4 << 10
	MaxClientFinish = 8 << 10
)

// FrameLength returns the length of the body of a frame, which the header announces, if
// it is from 1 to limit.
func FrameLength(header [HeaderSize]byte, limit int) (int, error) {
	n := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	if n == 0 || n > limit {
		return 0, fail(ErrFrame, "frame", "%d bytes, want 1 to %d", n, limit)
	}
	return n, nil
}

// AppendHeader appends the header of a frame whose body has n bytes, 1 to [MaxFrame].
func AppendHeader(dst []byte, n int) ([]byte, error) {
	if n < 1 || n > MaxFrame {
		return dst, fail(ErrFrame, "frame", "%d bytes, want 1 to %d", n, MaxFrame)
	}
	return append(dst, byte(n>>16), byte(n>>8), byte(n)), nil
}

// appendFrame appends a frame.
func appendFrame(dst, body []byte) ([]byte, error) {
	dst, err := AppendHeader(dst, len(body))
	if err != nil {
		return dst, err
	}
	return append(dst, body...), nil
}
