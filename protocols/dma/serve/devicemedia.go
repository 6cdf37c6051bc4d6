package serve

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// DeviceMedia is how a device transfers media. Zero values mean the defaults; all assumed.
type DeviceMedia struct {
	// Roots are who signs the certificates of media hosts; nil means the system's.
	Roots *x509.CertPool
	// Dial makes connections in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Host takes the ciphertext of what a partner's user sends to where the partner hosts it,
	// and returns its storage_ref. [PartnerMediaClient].Put is one; a native user needs none.
	Host func(ctx context.Context, body io.Reader, size int64) (ref string, err error)

	Dir   string        // where a ciphertext is while it is transferred; "" means the system's
	Most  uint64        // bytes of a medium that is sent or saved; default 16 MiB
	Stall time.Duration // for a host that sends nothing; default 1 min
	// Tries is how often a download is begun, each time where the one before ended; default 4.
	// Between them the device waits Again, default 1 s, which doubles.
	Tries int
	Again time.Duration
}

func (m DeviceMedia) orDefault() DeviceMedia {
	m.Most = cmp.Or(m.Most, 16<<20)
	m.Stall = cmp.Or(m.Stall, time.Minute)
	m.Tries = cmp.Or(m.Tries, 4)
	m.Again = cmp.Or(m.Again, time.Second)
	return m
}

// Medium is what a user sends beside the bytes of it.
type Medium struct {
	Kind      dma.ContentKind // one of those with media
	Caption   string
	ReplyTo   string
	MIME      string // its media type
	Name      string // what the recipient is told that it is called
	Thumbnail []byte
}

// Progress is told how much of a transfer is done. It may be nil.
type Progress func(done, total uint64)

// Why a medium is not sent or saved. Errors of package media say that its ciphertext is not
// what the message says.
var (
	// ErrMediaSize: it is larger than the device's limit.
	ErrMediaSize = errors.New("serve: media: larger than the device takes")
	// ErrMediaRefused: the host does not have it, or not for this user. To ask again is of no use.
	ErrMediaRefused = errors.New("serve: media: refused")
)

// SendMedia encrypts what src has, has it hosted where the user's media are, and writes a
// message about it. It returns when that is durable, and the message's ID. The gatekeeper and
// the host see the ciphertext alone.
func (d *Device) SendMedia(ctx context.Context, to ident.Address, m Medium, src io.Reader, progress Progress) (id string, err error) {
	if !m.Kind.Media() {
		return "", fmt.Errorf("serve: media: kind %v, want one of media", m.Kind)
	}
	f, remove, err := d.temporary()
	if err != nil {
		return "", err
	}
	defer remove()
	var key [media.KeySize]byte
	if _, err := io.ReadFull(d.cfg.Suite.Rand(), key[:]); err != nil {
		return "", fmt.Errorf("serve: media: %w", err)
	}
	ref, err := media.Seal(f, io.LimitReader(src, int64(d.cfg.Media.Most)+1), m.Kind, key)
	if err != nil {
		return "", err
	}
	if ref.Length > d.cfg.Media.Most {
		return "", fmt.Errorf("%w: more than %d bytes", ErrMediaSize, d.cfg.Media.Most)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("serve: media: %w", err)
	}
	path, err := d.host(ctx, f, m.Kind, &ref, progress)
	if err != nil {
		return "", err
	}
	ref.Ref, ref.MIME, ref.Name, ref.Thumbnail = path.String(), m.MIME, m.Name, m.Thumbnail
	return d.Do(ctx, dma.Compose{To: to, Content: dma.Content{Kind: m.Kind, Text: m.Caption, ReplyTo: m.ReplyTo, Media: ref}})
}

// host has a ciphertext hosted, and returns where.
func (d *Device) host(ctx context.Context, f io.ReadSeeker, kind dma.ContentKind, ref *dma.MediaRef, progress Progress) (media.Path, error) {
	a := d.Account()
	if a.Server != ident.Interop {
		return d.upload(ctx, f, kind, ref, progress)
	}
	if d.cfg.Media.Host == nil {
		return media.Path{}, errors.New("serve: media: no host for a partner's user's")
	}
	storage, err := d.cfg.Media.Host(ctx, &counted{f, 0, ref.Size, progress}, int64(ref.Size))
	if err != nil {
		return media.Path{}, err
	}
	if !media.ValidRef(storage) {
		return media.Path{}, fmt.Errorf("serve: media: the partner's host answers %.80q, want a reference", storage)
	}
	return media.Path{Integrator: a.Integrator, Ref: storage}, nil
}

// SaveMedia gets the medium of a message, holds it to what the message says, and writes it to
// dst. After an error what was written is of no use.
func (d *Device) SaveMedia(ctx context.Context, c *dma.Content, dst io.Writer, progress Progress) error {
	if !c.Kind.Media() {
		return fmt.Errorf("serve: media: a message of %v, want one with a medium", c.Kind)
	}
	ref := &c.Media
	path, err := media.ParsePath(ref.Ref)
	if err != nil {
		return err
	}
	if most := dma.MediaCiphertext(d.cfg.Media.Most); ref.Size > most {
		return fmt.Errorf("%w: a ciphertext of %d bytes, want at most %d", ErrMediaSize, ref.Size, most)
	}
	f, remove, err := d.temporary()
	if err != nil {
		return err
	}
	defer remove()
	if err := d.download(ctx, f, path, ref.Size, progress); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("serve: media: %w", err)
	}
	return media.Open(dst, f, c.Kind, ref)
}

// temporary returns a file for a ciphertext, and what removes it.
func (d *Device) temporary() (*os.File, func(), error) {
	f, err := os.CreateTemp(d.cfg.Media.Dir, "mimi-lab-media-*")
	if err != nil {
		return nil, nil, fmt.Errorf("serve: media: %w", err)
	}
	return f, func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}, nil
}

// counted is a reader that tells how far it is.
type counted struct {
	r           io.Reader
	done, total uint64
	progress    Progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.done += uint64(n)
	if c.progress != nil && n > 0 {
		c.progress(c.done, c.total)
	}
	return n, err
}
