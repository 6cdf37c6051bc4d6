package media_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
)

// key is 00 01 02 ... 1f.
var key = func() (k [media.KeySize]byte) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}()

const medium = "Not a picture, but as good as one."

// vectors are the files of medium under key. They were computed without this package: HKDF by
// RFC 5869 out of HMAC in Python (hmac, hashlib), the body by
//
//	openssl enc -aes-256-cbc -K CIPHERKEY -iv IV
//
// and the MAC by Python's HMAC over iv and body, cut to 10 bytes.
var vectors = []struct {
	kind dma.ContentKind
	file string
	sum  string // SHA-256 of file
}{
	{dma.Image, "941d92fd32a864aa8981348a9c3a04a8b0990220ea43e3b640d0cc61c0124f6bec6da0df303d13182e800539c420aa4e3f5bf33ce94104b605e0",
		"50abaa5ef88ecbf5c7748540624123517be989e86a4947e9b845b16d52cc36d8"},
	{dma.Voice, "9847d4d83a4f5116784244e20bb1db7e29e066e134d7df79ca5ffb4ea000edffafe4ea342a513a2089f49ce2af4062144c59a518660fcf8a1ec2",
		"88b2888d02a91ff66457873ee7e40be6f207785aef161c6c604868373063a33b"},
	{dma.Video, "34ee50da281b52dd2c8064e5f5aa33122baa321d9d11bddeb42aa52b62249074e0c4beac3bec3592323c0007c0f45f031ee080fe383eeb1d333e",
		"b96a08306db3ca6954c65fa1e7ac6e847e9da8e46d8cca5ea59bff29b4ed5996"},
	{dma.File, "178b81ebe1ae3455fe13dfe5ed7bd29b1841df4f462df8adf19ff25365bc8c2e1e6abf544b96d9835cac2401bb0123e8e9923eae089e41e7811c",
		"9f4d874d7aa00c335cdd2950fcb0acaf069a21a9e8c53c1c23436fcdc27eaf05"},
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seal(t testing.TB, kind dma.ContentKind, b []byte) ([]byte, dma.MediaRef) {
	t.Helper()
	var file bytes.Buffer
	ref, err := media.Seal(&file, bytes.NewReader(b), kind, key)
	must(t, err)
	return file.Bytes(), ref
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		file, ref := seal(t, v.kind, []byte(medium))
		if got := hex.EncodeToString(file); got != v.file {
			t.Errorf("%v: the file is\n%s, want\n%s", v.kind, got, v.file)
		}
		if got := hex.EncodeToString(ref.SHA256[:]); got != v.sum || ref.Plain != sha256.Sum256([]byte(medium)) || ref.Length != 34 || ref.Size != 58 || ref.Key != key {
			t.Errorf("%v: the message says %+v, want hash %s", v.kind, ref, v.sum)
		}
		b, err := hex.DecodeString(v.file)
		must(t, err)
		var got bytes.Buffer
		if err := media.Open(&got, bytes.NewReader(b), v.kind, &ref); err != nil || got.String() != medium {
			t.Errorf("%v: opened %q, %v", v.kind, &got, err)
		}
	}
}

// TestSizes: media of all sizes around those of blocks and of chunks come back, and their
// files are as large as the model of them says.
func TestSizes(t *testing.T) {
	t.Parallel()
	for _, around := range []int{16, 64 << 10, 128 << 10} {
		for n := around - 17; n <= around+17; n++ {
			if n < 1 {
				continue
			}
			b := bytes.Repeat([]byte{byte(n), 1, 2}, n)[:n]
			file, ref := seal(t, dma.Video, b)
			if uint64(len(file)) != dma.MediaCiphertext(uint64(n)) || ref.Size != uint64(len(file)) {
				t.Errorf("%d bytes: a file of %d, %d said, %d modelled", n, len(file), ref.Size, dma.MediaCiphertext(uint64(n)))
			}
			var got bytes.Buffer
			if err := media.Open(&got, bytes.NewReader(file), dma.Video, &ref); err != nil || !bytes.Equal(got.Bytes(), b) {
				t.Errorf("%d bytes: opened %d, %v", n, got.Len(), err)
			}
		}
	}
}

// rewritten is a file with another body, hash and MAC by the right key: what a sender could do.
func rewritten(t *testing.T, body []byte) ([]byte, [32]byte) {
	t.Helper()
	x, err := hkdf.Key(sha256.New, key[:], nil, "WhatsApp Image Keys", 112)
	must(t, err)
	c, err := aes.NewCipher(x[16:48])
	must(t, err)
	b := bytes.Clone(body)
	cipher.NewCBCEncrypter(c, x[:16]).CryptBlocks(b, b)
	m := hmac.New(sha256.New, x[48:80])
	m.Write(x[:16])
	m.Write(b)
	b = append(b, m.Sum(nil)[:10]...)
	return b, sha256.Sum256(b)
}

// TestRefused: a file that is not the one that was sealed is refused with the reason, and
// nothing is written but of one whose sender lies about what is in it.
func TestRefused(t *testing.T) {
	t.Parallel()
	file, right := seal(t, dma.Image, []byte(medium))
	hashed := func(b []byte, r *dma.MediaRef) []byte {
		r.SHA256, r.Size = sha256.Sum256(b), uint64(len(b))
		return b
	}
	flip := func(i int) []byte {
		b := bytes.Clone(file)
		b[i] ^= 1
		return b
	}
	for _, tt := range []struct {
		name string
		kind dma.ContentKind
		make func(r *dma.MediaRef) []byte
		want error
	}{
		{"tampered body", dma.Image, func(*dma.MediaRef) []byte { return flip(20) }, media.ErrHash},
		{"tampered body, hash made to fit", dma.Image, func(r *dma.MediaRef) []byte { return hashed(flip(20), r) }, media.ErrMAC},
		{"tampered first block, hash made to fit", dma.Image, func(r *dma.MediaRef) []byte { return hashed(flip(0), r) }, media.ErrMAC},
		{"tampered MAC", dma.Image, func(*dma.MediaRef) []byte { return flip(len(file) - 1) }, media.ErrHash},
		{"tampered MAC, hash made to fit", dma.Image, func(r *dma.MediaRef) []byte { return hashed(flip(len(file)-1), r) }, media.ErrMAC},
		{"another key", dma.Image, func(r *dma.MediaRef) []byte { r.Key[0] ^= 1; return file }, media.ErrMAC},
		{"another kind", dma.Video, func(*dma.MediaRef) []byte { return file }, media.ErrMAC},
		{"another hash", dma.Image, func(r *dma.MediaRef) []byte { r.SHA256[31] ^= 1; return file }, media.ErrHash},
		{"truncated by a byte", dma.Image, func(*dma.MediaRef) []byte { return file[:len(file)-1] }, media.ErrSize},
		{"truncated by a block", dma.Image, func(*dma.MediaRef) []byte { return file[:len(file)-16] }, media.ErrSize},
		{"truncated by a block, all made to fit", dma.Image, func(r *dma.MediaRef) []byte { return hashed(file[:len(file)-16], r) }, media.ErrMAC},
		{"the MAC alone", dma.Image, func(*dma.MediaRef) []byte { return file[len(file)-10:] }, media.ErrSize},
		{"nothing", dma.Image, func(*dma.MediaRef) []byte { return nil }, media.ErrSize},
		{"a byte more", dma.Image, func(*dma.MediaRef) []byte { return append(bytes.Clone(file), 0) }, media.ErrSize},
		{"a size of no ciphertext", dma.Image, func(r *dma.MediaRef) []byte { r.Size++; return file }, media.ErrSize},
		{"a size of nothing", dma.Image, func(r *dma.MediaRef) []byte { r.Size = 0; return file }, media.ErrSize},
		{"the size of a MAC", dma.Image, func(r *dma.MediaRef) []byte { r.Size = 10; return file[:10] }, media.ErrSize},
		{"a huge size", dma.Image, func(r *dma.MediaRef) []byte { r.Size = 1<<64 - 6; return file }, media.ErrSize},
		{"no hash of the medium", dma.Image, func(r *dma.MediaRef) []byte { r.Plain = [32]byte{}; return file }, media.ErrIncomplete},
		{"no length of the medium", dma.Image, func(r *dma.MediaRef) []byte { r.Length = 0; return file }, media.ErrIncomplete},
		{"no medium", dma.Text, func(*dma.MediaRef) []byte { return file }, media.ErrKind},
		{"padding of 0", dma.Image, func(r *dma.MediaRef) []byte { b, _ := rewritten(t, make([]byte, 48)); return hashed(b, r) }, media.ErrPadding},
		{"padding of 17", dma.Image, func(r *dma.MediaRef) []byte {
			b, _ := rewritten(t, bytes.Repeat([]byte{17}, 48))
			return hashed(b, r)
		}, media.ErrPadding},
		{"padding that differs", dma.Image, func(r *dma.MediaRef) []byte {
			b, _ := rewritten(t, append(make([]byte, 47), 2))
			return hashed(b, r)
		}, media.ErrPadding},
	} {
		ref := right
		b := tt.make(&ref)
		var out bytes.Buffer
		if err := media.Open(&out, bytes.NewReader(b), tt.kind, &ref); !errors.Is(err, tt.want) || out.Len() > 0 && tt.want != media.ErrPadding {
			t.Errorf("%s: got %v and %d bytes, want %v and none", tt.name, err, out.Len(), tt.want)
		}
	}
	for name, set := range map[string]func(r *dma.MediaRef){
		"another hash of the medium":   func(r *dma.MediaRef) { r.Plain[0] ^= 1 },
		"another length of the medium": func(r *dma.MediaRef) { r.Length-- },
		"a huge length of the medium":  func(r *dma.MediaRef) { r.Length = 1<<64 - 1 },
	} {
		ref := right
		set(&ref)
		if err := media.Open(io.Discard, bytes.NewReader(file), dma.Image, &ref); !errors.Is(err, media.ErrPlain) {
			t.Errorf("%s: got %v, want %v", name, err, media.ErrPlain)
		}
	}
	if _, err := media.Seal(io.Discard, strings.NewReader(""), dma.Image, key); !errors.Is(err, media.ErrEmpty) {
		t.Errorf("an empty medium: got %v", err)
	}
	if _, err := media.Seal(io.Discard, strings.NewReader("x"), dma.Reaction, key); !errors.Is(err, media.ErrKind) {
		t.Errorf("no medium: got %v", err)
	}
}

// TestConstantMemory: a medium of 64 MB takes as much memory as one of a few bytes.
func TestConstantMemory(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	defer func() { _ = file.Close() }()
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ref, err := media.Seal(file, io.LimitReader(zeros{}, size), dma.Video, key)
	must(t, err)
	_, err = file.Seek(0, io.SeekStart)
	must(t, err)
	must(t, media.Open(io.Discard, file, dma.Video, &ref))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated in all, want at most 1 MiB", n)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestPath: paths are read as they are written, and whatever leads elsewhere is none.
func TestPath(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]media.Path{
		"/v/tabc":                              {Ref: "abc"},
		"/v/t~A.b-9_":                          {Ref: "~A.b-9_"},
		"/interop/whatsapp/download/7/x.enc/":  {Integrator: 7, Ref: "x.enc"},
		"/interop/whatsapp/download/65535/a/":  {Integrator: 65535, Ref: "a"},
		"/v/t" + strings.Repeat("a", 128):      {Ref: strings.Repeat("a", 128)},
		"/interop/whatsapp/download/1/..a.../": {Integrator: 1, Ref: "..a..."},
	} {
		if p, err := media.ParsePath(s); err != nil || p != want || p.String() != s {
			t.Errorf("%q: got %+v, %v, want %+v", s, p, err, want)
		}
	}
	for _, s := range []string{
		"", "/", "/v/t", "/v/t.", "/v/t..", "/v/t../lab/register", "/v/t/x", "/v/tx/", "/v/tx?y", "/v/t%2e%2e", "/v/tx#", "/v/t\x00", "/v/tä",
		"v/tx", "//evil.example/v/tx", "https://evil.example/v/tx", "/V/tx", "/v/t" + strings.Repeat("a", 129),
		"/interop/whatsapp/download/1/x", "/interop/whatsapp/download/0/x/", "/interop/whatsapp/download/01/x/", "/interop/whatsapp/download/65536/x/",
		"/interop/whatsapp/download/-1/x/", "/interop/whatsapp/download/1//", "/interop/whatsapp/download/1/../", "/interop/whatsapp/download/1/a/b/",
		"/interop/whatsapp/download/1/@evil.example/", "/interop/whatsapp/download//x/", "/interop/messenger/download/1/x/",
	} {
		if p, err := media.ParsePath(s); !errors.Is(err, media.ErrPath) {
			t.Errorf("%q: got %+v, %v, want %v", s, p, err, media.ErrPath)
		}
	}
}

// FuzzOpen: whatever a file has and a message says, nothing is opened that was not sealed so.
func FuzzOpen(f *testing.F) {
	file, ref := seal(f, dma.Image, []byte(medium))
	f.Add(file, ref.Size, ref.Length, byte(0))
	f.Add(file[:20], uint64(20), uint64(1<<63), byte(1))
	f.Add([]byte{}, uint64(1<<64-6), uint64(1), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, size, length uint64, kind byte) {
		r := ref
		r.SHA256, r.Size, r.Length = sha256.Sum256(b), size, length
		var out bytes.Buffer
		err := media.Open(&out, bytes.NewReader(b), dma.ContentKind(kind)+dma.Image, &r)
		if err == nil && (!bytes.Equal(b, file) || out.String() != medium) {
			t.Errorf("%x is opened as %q", b, &out)
		}
	})
}

// FuzzPath: a path that is read is written the same.
func FuzzPath(f *testing.F) {
	f.Add("/v/tabc")
	f.Add("/interop/whatsapp/download/1/x/")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := media.ParsePath(s); err == nil && (p.String() != s || !media.ValidRef(p.Ref)) {
			t.Errorf("%q is %+v", s, p)
		}
	})
}

func Example() {
	var file, opened bytes.Buffer
	ref, err := media.Seal(&file, strings.NewReader("a picture"), dma.Image, key)
	if err != nil {
		panic(err)
	}
	ref.Ref = media.Path{Integrator: 1, Ref: "x7q2"}.String() // where it was put
	if err := media.Open(&opened, bytes.NewReader(file.Bytes()), dma.Image, &ref); err != nil {
		panic(err)
	}
	fmt.Println(ref.Ref, ref.Length, ref.Size, &opened)
	// Output: /interop/whatsapp/download/1/x7q2/ 9 26 a picture
}

func BenchmarkSeal(b *testing.B) {
	b.SetBytes(16 << 20)
	for b.Loop() {
		if _, err := media.Seal(io.Discard, io.LimitReader(zeros{}, 16<<20), dma.Video, key); err != nil {
			b.Fatal(err)
		}
	}
}
