package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// mediaOptions are those of the command device media.
type mediaOptions struct {
	sendOptions
	File    string
	Kind    string
	MIME    string
	Caption string
}

func newMedia(t *term.IO) *cobra.Command {
	o := &mediaOptions{sendOptions: sendOptions{options: options{IO: t}}}
	c := &cobra.Command{
		Use:   "media FROM TO FILE",
		Short: "Send an image, a voice message, a video or a file",
		Long: `Send a file as a user: the device encrypts it, has the ciphertext hosted, by the
gatekeeper for its own users and by the partner for the partner's, and sends a
message that says where it is and how to open it. Waits as "device send" does.
"device receive" of the other user saves it.`,
		Example: `  mimi-lab device media bob@partner.example 4915112345678 photo.png
  mimi-lab device media 4915112345678 bob@partner.example photo.png \
    --caption "Look at this" --kind file --json`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678", "printf '\\211PNG\\r\\n\\032\\n' > photo.png"),
		Args:        command.Args(3, 3, "a name, a recipient or a file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name, o.To, o.File = args[0], args[1], args[2]
			return o.media(c.Context())
		},
	}
	o.flags(c.Flags())
	o.mediaFlags(c.Flags())
	c.Flags().StringVar(&o.Kind, "kind", "", "image, voice, video or file (default: by the file's beginning)")
	c.Flags().StringVar(&o.MIME, "type", "", "the media `type` that the recipient is told (default: by the file's beginning)")
	c.Flags().StringVar(&o.Caption, "caption", "", "a `text` beside it")
	c.Flags().BoolVar(&o.Delivered, "delivered", false, "wait for the delivery receipt")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// mediaFlags are those of all commands that transfer media.
func (o *options) mediaFlags(f *pflag.FlagSet) {
	f.IntVar(&o.MaxMedia, "max-media", 16, "`MiB` of the largest medium")
}

func (o *options) checkMedia() error {
	if o.MaxMedia < 1 || o.MaxMedia > 1<<10 {
		return exit.Usagef("", "--max-media %d: want 1 to 1024", o.MaxMedia)
	}
	return nil
}

// saveFlags are those of all commands that print messages.
func (o *options) saveFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Save, "save", "", "`directory` to save media in (default: one of the user's in --dev)")
	o.mediaFlags(f)
}

// deviceMedia returns how the device transfers media.
func (o *options) deviceMedia(dir *dmadev.Dir) serve.DeviceMedia {
	m := serve.DeviceMedia{Roots: dir.Roots, Most: uint64(o.MaxMedia) << 20, Again: 200 * time.Millisecond}
	if dmadev.Native(o.Name) {
		return m
	}
	m.Host = func(ctx context.Context, body io.Reader, size int64) (string, error) {
		if o.TokenFile != "" {
			return "", exit.Usagef("Its own client puts media there.", "--token is of another partner, whose media host is not known here")
		}
		c, err := o.partner(ctx, dir)
		if err != nil {
			return "", err
		}
		host := serve.PartnerMediaClient{Base: dmadev.Partner + partner.MediaPath, Roots: dir.Roots, Dial: dir.DialPartner, Authorize: c.Authorize}
		return host.Put(ctx, body, size)
	}
	return m
}

// sentMedia is what media prints with --json.
type sentMedia struct {
	sent
	Kind string `json:"kind"`
	Type string `json:"type"`
	Size int64  `json:"size"`
}

func (o *mediaOptions) media(ctx context.Context) error {
	if err := o.checkMedia(); err != nil {
		return err
	}
	f, err := os.Open(o.File)
	if err != nil {
		return exit.Usagef("", "%w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", o.File)
	}
	if err != nil {
		return exit.Usagef("", "%w", err)
	}
	m, err := o.medium(f)
	if err != nil {
		return err
	}
	sent, err := o.submit(ctx, o.named, func(ctx context.Context, d *serve.Device, to ident.Address) (string, error) {
		id, err := o.transfer(ctx, "sending", func(ctx context.Context, moved serve.Progress) (string, error) {
			return d.SendMedia(ctx, to, m, &moving{f, nil, moved}, moved)
		})
		return id, o.mediaFailed(err)
	})
	if err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(sentMedia{sent, m.Kind.String(), m.MIME, info.Size()})
	}
	fmt.Fprintf(o.IO.Out, "%s: %v %s is %s\n", sent.To, m.Kind, sent.ID, sent.State)
	return nil
}

// mediaKinds are the kinds that --kind takes.
var mediaKinds = []dma.ContentKind{dma.Image, dma.Voice, dma.Video, dma.File}

// medium says what a file is, by its beginning unless the user says so.
func (o *mediaOptions) medium(f *os.File) (serve.Medium, error) {
	var head [512]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return serve.Medium{}, exit.Usagef("", "%w", err)
	}
	m := serve.Medium{Kind: dma.File, Caption: o.Caption, MIME: o.MIME, Name: filepath.Base(o.File)}
	if m.MIME == "" {
		m.MIME = http.DetectContentType(head[:n])
	}
	switch kind, _, _ := strings.Cut(m.MIME, "/"); kind {
	case "image":
		m.Kind = dma.Image
	case "audio":
		m.Kind = dma.Voice
	case "video":
		m.Kind = dma.Video
	}
	if o.Kind != "" {
		i := slices.IndexFunc(mediaKinds, func(k dma.ContentKind) bool { return k.String() == o.Kind })
		if i < 0 {
			return m, exit.Usagef("", "--kind %q: want image, voice, video or file", o.Kind)
		}
		m.Kind = mediaKinds[i]
	}
	return m, nil
}

// transfer runs f while it moves: --timeout is for each standstill, not for all of it.
func (o *options) transfer(ctx context.Context, label string, f func(context.Context, serve.Progress) (string, error)) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(o.Timeout, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	p := o.IO.Progress(label, false)
	defer p.Done()
	s, err := f(ctx, func(done, total uint64) {
		late.Reset(o.Timeout)
		p.Set(float64(done), float64(total))
	})
	if err != nil && context.Cause(ctx) == context.DeadlineExceeded {
		err = o.late(context.DeadlineExceeded, "the media host's part of the transfer")
	}
	return s, err
}

// moving is a file whose reads and writes show that a transfer moves.
type moving struct {
	r     io.Reader
	w     io.Writer
	moved serve.Progress
}

func (m *moving) Read(b []byte) (int, error) {
	m.moved(0, 0)
	return m.r.Read(b)
}

func (m *moving) Write(b []byte) (int, error) {
	m.moved(0, 0)
	return m.w.Write(b)
}

// mediaFailed says what to do about a transfer that failed, if it did.
func (o *options) mediaFailed(err error) error {
	var told *exit.Error
	switch {
	case err == nil, errors.As(err, &told):
		return err
	case errors.Is(err, serve.ErrMediaSize):
		return exit.Failuref("--max-media takes larger ones here and at gatekeeper serve.", "%w", err)
	}
	return exit.Failuref("", "%w", err)
}
