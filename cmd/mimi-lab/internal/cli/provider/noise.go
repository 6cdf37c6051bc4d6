package provider

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	neturl "net/url"
	"os"
	"path/filepath"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/config"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// noiseSuffix is that of the file of a directory of --dev with a static key.
const noiseSuffix = ".noise"

// devices is the folder of a directory of --dev with what devices keep.
const devices = "devices"

// DevicePath returns where in a directory of --dev a client keeps what is its own: the
// name of a file without its suffix.
func DevicePath(dir string, client ident.URI) string {
	names := client.Segments()
	return filepath.Join(dir, devices, client.Provider(), neturl.PathEscape(names[0]), neturl.PathEscape(names[1]))
}

// DeviceNoise returns how a client of a directory of --dev connects over Noise with the
// server of a static key. Its own is made if there is none.
func DeviceNoise(dir string, client ident.URI, server []byte) (*channel.Noise, error) {
	cfg, err := noiseConfig(DevicePath(dir, client)+noiseSuffix, true)
	if err != nil {
		return nil, err
	}
	return &channel.Noise{Config: cfg, Trust: noise.Trust{Pin: server}}, nil
}

// noiseConfig returns what one end of a Noise channel needs, with the static key of a
// file, which it makes if it may.
func noiseConfig(file string, makeKey bool) (noise.Config, error) {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		return noise.Config{}, err
	}
	key, err := readStatic(file)
	if makeKey && errors.Is(err, fs.ErrNotExist) {
		key, err = makeStatic(file)
	}
	if err != nil {
		return noise.Config{}, err
	}
	return noise.Config{Suite: s, Static: suite.KeyPair{Private: key.Bytes(), Public: key.PublicKey().Bytes()}}, nil
}

// readStatic reads a private X25519 key.
func readStatic(file string) (*ecdh.PrivateKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("no PEM in %s", file)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	e, ok := k.(*ecdh.PrivateKey)
	if !ok || e.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("%s has another kind of key, want X25519", file)
	}
	return e, nil
}

// makeStatic makes a private X25519 key.
func makeStatic(file string) (*ecdh.PrivateKey, error) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	return k, replace(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

// noise returns what the server of clients needs for Noise, nil without.
func (s *settings) noise() (*noise.ServerConfig, error) {
	if s.Noise == "" {
		return nil, nil
	}
	if s.NoiseKey == "" {
		return nil, exit.Usagef(`"openssl genpkey -algorithm X25519" makes one.`, `configuration: "noise" without "noise_key"`)
	}
	cfg, err := noiseConfig(s.NoiseKey, s.dev != "")
	if err != nil {
		return nil, exit.Usagef(`"openssl genpkey -algorithm X25519" makes one.`, "noise_key: %w", err)
	}
	if err := config.Private("noise_key", s.NoiseKey); err != nil {
		return nil, err
	}
	return &noise.ServerConfig{Config: cfg}, nil
}

// readClientKeys reads the static keys of clients of a provider, in base64.
func readClientKeys(file, domain string) (*channel.StaticKeys, error) {
	keys := new(channel.StaticKeys)
	return keys, readClients("client_keys", "its static key in base64", file, domain, func(client ident.URI, value string) error {
		key, err := base64.StdEncoding.DecodeString(value)
		if err == nil && len(key) != noiseKeySize {
			err = fmt.Errorf("key of %d bytes, want %d", len(key), noiseKeySize)
		}
		keys.Set(client, key)
		return err
	})
}

// noiseKeySize is the size of a static key in bytes.
const noiseKeySize = 32

// ownKeys lets in the devices of a directory of --dev by the static keys that they keep
// there.
type ownKeys struct{ dir string }

// Authenticate implements [channel.Authenticator].
func (k ownKeys) Authenticate(ctx context.Context, claimed ident.URI, _ []byte, peer channel.Peer) error {
	key, err := readStatic(DevicePath(k.dir, claimed) + noiseSuffix)
	if err != nil {
		return err
	}
	var known channel.StaticKeys
	known.Set(claimed, key.PublicKey().Bytes())
	return known.Authenticate(ctx, claimed, nil, peer)
}
