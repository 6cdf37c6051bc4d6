package demo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	servepartner "github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// player is somebody with a device.
type player struct {
	*stage
	name, visible string
	device        *serve.Device
	partner       *servepartner.Client // nil for the gatekeeper's own
	end           func() error         // of the connection there is, nil without
	ended         chan error

	want    []string // the texts that the player is to read
	read    []string
	fetches string // what a connection to a media host is for
}

// enlist gets the player an account.
func (p *player) enlist() error {
	cfg := serve.EnlistConfig{
		Base: "https://" + p.https, Roots: p.dir.Roots, Store: store.NewMemory(), Adapter: p.adapter, Suite: p.suite, Identifier: p.visible,
	}
	dev := serve.DeviceConfig{
		Store: cfg.Store, Adapter: p.adapter, Suite: p.suite, Address: p.chat, Trust: noise.Trust{Pin: p.dir.Noise.Public},
		Again: 10 * time.Millisecond, AgainMost: 50 * time.Millisecond,
		Media: serve.DeviceMedia{Roots: p.dir.Roots, Dial: p.dialForMedia, Dir: p.dir.Path},
	}
	var err error
	if p.partner == nil {
		p.act(p.name, "registers at the gatekeeper (how its own users do is assumed)")
		cfg.Native = ident.User
		if cfg.Token, err = p.dir.Token(p.visible, time.Now()); err != nil {
			return err
		}
	} else {
		p.act(p.name, "gets a token of the partner's, and enlists with it")
		if err := p.partner.Join(p.ctx, p.dir.Invitation); err != nil {
			return err
		}
		if cfg.Token, err = p.partner.Token(p.ctx); err != nil {
			return err
		}
		dev.Token, dev.Media.Host = p.partner.Token, p.host
	}
	a, err := serve.Enlist(p.ctx, cfg)
	if err != nil {
		return err
	}
	p.posted(a, len(cfg.Token))
	p.mu.Lock()
	p.names[a] = p.name
	p.mu.Unlock()
	if p.device, err = serve.NewDevice(p.ctx, dev); err != nil {
		return err
	}
	p.later(func() { _ = p.device.Close() })
	p.later(func() {
		if p.end != nil {
			_ = p.end()
		}
	})
	return nil
}

// posted takes the enlistment down.
func (p *player) posted(a ident.Address, tokenSize int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.partner == nil {
		p.add(dmaMoment{From: p.name, To: gatekeeperName, What: "POST " + serve.RegisterPath, Stanza: []string{"POST " + serve.RegisterPath, "--> " + a.String()}})
		return
	}
	answer, err := (&enlist.Answer{Login: a}).Marshal()
	if err != nil {
		answer = []byte(err.Error())
	}
	p.add(dmaMoment{From: p.name, To: gatekeeperName, What: "POST " + enlist.Path, Stanza: []string{
		"POST " + enlist.Path + ", a form over TLS 1.3:",
		"  authkey 32 B, e_keytype 1 B, e_regid 4 B, e_ident 32 B, e_skey_id 3 B,",
		fmt.Sprintf("  e_skey_val 32 B, e_skey_sig 64 B, token %d B", tokenSize),
		"--> 200 " + strings.TrimSpace(string(answer)),
	}, Gloss: "authkey is the key that the chat channel will know the device by; the address is what the protocol calls " + p.name + " from now on"})
}

// connect has the device run.
func (p *player) connect(does string) {
	p.act(p.name, does)
	ctx, cancel := context.WithCancel(p.ctx)
	p.ended = make(chan error, 1)
	go func(ended chan error) { ended <- p.device.Run(ctx) }(p.ended)
	p.end = func() error { cancel(); return <-p.ended }
}

// disconnect ends that, and waits until the gatekeeper knows.
func (p *player) disconnect() error {
	if p.end == nil {
		return nil
	}
	before := p.gk.Stats().Connected
	p.act(p.name, "goes offline")
	_ = p.end()
	p.end = nil
	for p.ctx.Err() == nil && p.gk.Err() == nil && p.gk.Stats().Connected >= before {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// gone waits until the device has ended by itself, and returns why.
func (p *player) gone() error {
	p.end = nil
	select {
	case err := <-p.ended:
		return err
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// host has the partner host a ciphertext.
func (p *player) host(ctx context.Context, body io.Reader, size int64) (string, error) {
	p.transfer(p.name, partnerName, "POST "+servepartner.MediaPath, size, "the ciphertext: AES-256-CBC and HMAC, with keys for this photo alone")
	host := serve.PartnerMediaClient{
		Base: dmadev.Partner + servepartner.MediaPath, Roots: p.dir.Roots, Dial: p.dir.DialPartner, Authorize: p.partner.Authorize,
	}
	return host.Put(ctx, body, size)
}

// dialForMedia connects the player's device with the gatekeeper's media host.
func (p *player) dialForMedia(ctx context.Context, network, address string) (net.Conn, error) {
	p.transfer(p.name, gatekeeperName, p.fetches, 0, "the gatekeeper's media host: ciphertext")
	return new(net.Dialer).DialContext(ctx, network, address)
}

// write has the player write to whom readers are.
func (p *player) write(does string, to ident.Address, readers []*player, c dma.Content) (string, error) {
	p.act(p.name, does)
	id, err := p.device.Do(p.ctx, dma.Compose{To: to, Content: c})
	if err != nil {
		return "", err
	}
	p.wrote(readers, c.Text)
	return id, p.settle()
}

// say is write for a text to one other.
func (p *player) say(text string, to *player) (string, error) {
	return p.write("writes: "+text, to.device.Account(), []*player{to}, dma.Content{Kind: dma.Text, Text: text})
}

func (p *player) wrote(readers []*player, text string) {
	for _, r := range readers {
		r.want = append(r.want, text)
	}
	if text != "" {
		p.secrets = append(p.secrets, []byte(text))
	}
}

// send has the player send a photo.
func (p *player) send(caption string, to *player) error {
	p.act(p.name, "sends a photo: "+caption)
	p.fetches = "POST /mms/image/{hash}"
	_, err := p.device.SendMedia(p.ctx, to.device.Account(), serve.Medium{Kind: dma.Image, Caption: caption, MIME: "image/png", Name: "view.png"}, bytes.NewReader(photo()), nil)
	if err != nil {
		return err
	}
	p.wrote([]*player{to}, caption)
	return p.settle()
}

// photo is a picture of an evening sky.
var photo = sync.OnceValue(func() []byte {
	const width, height = 320, 200
	sky := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			grain := uint8((x*x*7 + x*y*13 + y*y*31) % 23)
			sky.Set(x, y, color.RGBA{uint8(40+y*3/4) + grain, uint8(60+y/3) + grain, uint8(160-y/2) + grain, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, sky); err != nil {
		panic("demo: a picture does not encode: " + err.Error())
	}
	return b.Bytes()
})

func (p *player) do(does string, in dma.Input) error {
	p.act(p.name, does)
	if _, err := p.device.Do(p.ctx, in); err != nil {
		return err
	}
	if _, last := in.(dma.Delete); last {
		return nil
	}
	return p.settle()
}

// shown takes down what a player reads, and gets the medium if it is of one.
func (p *player) shown(m *serve.Received) error {
	c := &m.Content
	text := strconv.Quote(c.Text)
	switch {
	case c.Kind.Media():
		p.fetches = "GET " + c.Media.Ref
		var got bytes.Buffer
		if err := p.device.SaveMedia(p.ctx, c, &got, nil); err != nil {
			return err
		}
		text = fmt.Sprintf("%s, with a photo of %d bytes", text, got.Len())
		if !bytes.Equal(got.Bytes(), photo()) {
			p.spoiled = append(p.spoiled, text)
		}
	case c.Kind == dma.Reaction && c.Text == "":
		text = "the reaction is taken back"
	case c.Kind == dma.Reaction:
		text = "a reaction: " + c.Text
	case c.ReplyTo != "":
		text += ", as an answer"
	}
	if !m.Group.IsZero() {
		text = "in the group, " + text
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = append(p.read, c.Text)
	p.add(dmaMoment{Sees: p.name + " reads: " + text, who: p.name, reads: true})
	return nil
}
