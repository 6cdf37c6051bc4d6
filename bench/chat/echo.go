package chat

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
)

// serveEcho takes connections on which every frame comes back, each by itself.
func (w *world) serveEcho(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() {
			defer func() { _ = nc.Close() }()
			if err := echo(newLink(nc), w.noise); w.ctx.Err() == nil {
				w.stop(fmt.Errorf("the echo: %w", err))
			}
		})
	}
}

// echo serves one connection.
func echo(l *link, cfg noise.ServerConfig) error {
	var err error
	if _, l.channel, err = noise.Accept(l.r, l.nc, cfg); err != nil {
		return err
	}
	for {
		plaintext, err := l.open()
		if err != nil {
			return err
		}
		if err := l.seal(plaintext); err != nil {
			return err
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
}

// echoer is a device at the echo.
type echoer struct {
	*link
	w *world
	// What follows is guarded by mu.
	sent, back, target int // frames, of all rounds
	plain              []byte
	took               []time.Duration // how long each frame of the round took
}

// send sends frames while there are any and fewer than underWay are on their way. The
// caller holds mu.
func (e *echoer) send(underWay int) error {
	for e.sent < e.target && e.sent-e.back < underWay {
		binary.BigEndian.PutUint64(e.plain, uint64(e.sent))
		binary.BigEndian.PutUint64(e.plain[8:], uint64(time.Since(e.w.epoch)))
		e.sent++
		if err := e.seal(e.plain); err != nil {
			return err
		}
	}
	return nil
}

// take takes a frame that came back.
func (e *echoer) take(plaintext []byte) error {
	if len(plaintext) != len(e.plain) || binary.BigEndian.Uint64(plaintext) != uint64(e.back) || e.back >= e.sent {
		return fmt.Errorf("the echo returned %d bytes, want frame %d of %d", len(plaintext), e.back, e.sent)
	}
	e.took = append(e.took, time.Since(e.w.epoch)-time.Duration(binary.BigEndian.Uint64(plaintext[8:])))
	if e.back++; e.back == e.target {
		e.w.done.Done()
	}
	return e.send(e.w.echoUnderWay())
}
