package device

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"slices"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
)

// extensions are those of files that are saved. A type that is not here gets none, so that
// nobody is led to run what a stranger sends.
var extensions = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
	"video/mp4": ".mp4", "video/webm": ".webm", "audio/ogg": ".ogg", "application/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/wave": ".wav",
	"application/pdf": ".pdf", "text/plain": ".txt",
}

// fileName returns the name of a file for a medium: what it is, its hash and an extension. What
// the sender calls it is no part of it, as that is a stranger's word. A medium that is saved
// again after a crash gets the same name.
func fileName(c *dma.Content) string {
	typ, _, err := mime.ParseMediaType(c.Media.MIME)
	if err != nil {
		typ = ""
	}
	return fmt.Sprintf("%v-%s%s", c.Kind, hex.EncodeToString(c.Media.Plain[:8]), extensions[typ])
}

// notSaved are the reasons for which it is of no use to try again.
var notSaved = []error{
	serve.ErrMediaRefused, serve.ErrMediaSize, media.ErrPath, media.ErrKind, media.ErrIncomplete, media.ErrSize, media.ErrHash, media.ErrMAC,
	media.ErrPadding, media.ErrPlain,
}

// lost reports whether a medium that was not saved never will be.
func lost(err error) bool {
	return slices.ContainsFunc(notSaved, func(e error) bool { return errors.Is(err, e) })
}

// save saves the medium of a message, and returns the file.
func (o *options) save(ctx context.Context, dir *dmadev.Dir, d *serve.Device, c *dma.Content) (file string, err error) {
	to := o.Save
	if to == "" {
		if to, err = dir.DeviceMedia(o.Name); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", exit.Failuref("--save names another directory.", "%w", err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return "", exit.Failuref("--save names another directory.", "%w", err)
	}
	defer func() { _ = root.Close() }()
	name := fileName(c)
	f, err := root.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", exit.Failuref("--save names another directory.", "%w", err)
	}
	_, err = o.transfer(ctx, "saving", func(ctx context.Context, moved serve.Progress) (string, error) {
		return "", d.SaveMedia(ctx, c, &moving{nil, f, moved}, moved)
	})
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(name+".part", name)
	}
	if err != nil {
		return "", errors.Join(err, root.Remove(name+".part"))
	}
	return filepath.Join(to, name), nil
}
