package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// why returns what logs and metrics say of an error: one of few phrases, as the error itself
// may quote what a user or a stranger has sent.
func why(err error) string {
	var (
		told   *stanza.Error
		code   stanza.Code
		frame  *noise.Error
		proof  *token.Error
		reason enlist.Reason
		field  *enlist.Error
		first  net.Error
	)
	for _, known := range []error{
		errAddress, errConnect, errWaiting, errFull, errSlots, errBusy, errNotEnlisted, errAuthKey, errIssuer,
		errLeft, errClosed, ErrStopped, jwks.ErrUnavailable, dma.ErrSignature,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	switch {
	case errors.As(err, &proof):
		return "token: " + proof.Kind.Error()
	case errors.As(err, &frame):
		return "noise: " + frame.Kind.Error()
	case errors.As(err, &field):
		return "enlist: refused: " + string(field.Reason) + " " + field.Field // which is a name of the form's, not what came
	case errors.As(err, &reason):
		return reason.Error()
	case errors.As(err, &told):
		return told.Code.Error()
	case errors.As(err, &code):
		return code.Error()
	case errors.Is(err, protocols.ErrMalformed):
		return protocols.ErrMalformed.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &first) && first.Timeout():
		return "too slow"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errLeft.Error()
	}
	return "another error"
}

// account is an account as logs have it: that of a partner's user by the address that the
// gatekeeper gave it, a native user's by a name that is good until the gatekeeper stops,
// since the address is the phone number.
func (g *Gatekeeper) account(a ident.Address) slog.Attr {
	if a.Server == ident.Interop {
		return slog.String("account", a.String())
	}
	h := hmac.New(sha256.New, g.alias[:])
	h.Write([]byte(a.String()))
	return slog.String("account", "native-"+hex.EncodeToString(h.Sum(nil)[:6]))
}

// refuse notes that a connection ends before its client was authenticated.
func (g *Gatekeeper) refuse(nc net.Conn, err error) {
	g.stats.refused.Add(1)
	reason := why(err)
	g.refusals.add(reason)
	g.log.Info("connection refused", "peer", nc.RemoteAddr().String(), "reason", reason)
}
