package room

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// devicesOptions are those of the command room devices.
type devicesOptions struct {
	client.Options
	Room string
}

func newDevices(t *term.IO) *cobra.Command {
	o := &devicesOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "devices ROOM",
		Short: "List the devices in a room with their leaves",
		Long: `List the members of the room's MLS group (RFC 9420, Leaf Node Contents): who
they are, where they are in the ratchet tree, the beginning of their signature
keys, and how the leaf got there: with a KeyPackage, by an update, or with a
Commit of its own.

Below is the epoch authenticator, which all members share: read to each other,
it shows that nobody is between.`,
		Example: `  mimi-lab room devices clubhouse --as alice@a.example`,

		Annotations: tried(made),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// leaf is a member of the group, as JSON.
type leaf struct {
	Leaf          uint32    `json:"leaf"`
	Client        ident.URI `json:"client"`
	User          ident.URI `json:"user"`
	Own           bool      `json:"own,omitempty"` // this device
	SignatureKey  hexBytes  `json:"signature_key"`
	EncryptionKey hexBytes  `json:"encryption_key"`
	Source        string    `json:"leaf_node_source"`
	NotAfter      string    `json:"not_after,omitempty"` // of a leaf from a KeyPackage
}

// hexBytes is written in hexadecimal.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// sources are the names of how a leaf got there.
var sources = map[message.LeafNodeSource]string{
	message.SourceKeyPackage: "key_package", message.SourceUpdate: "update", message.SourceCommit: "commit",
}

func leafOf(i tree.LeafIndex, n *message.LeafNode) leaf {
	l := leaf{Leaf: uint32(i), SignatureKey: n.SignatureKey, EncryptionKey: n.EncryptionKey, Source: sources[n.Source]}
	l.Client, l.User, _ = mimi.Client(&n.Credential) // the group has none but such
	if n.Source == message.SourceKeyPackage {
		l.NotAfter = time.Unix(int64(n.Lifetime.NotAfter), 0).UTC().Format(time.RFC3339)
	}
	return l
}

func (o *devicesOptions) run(ctx context.Context, s *client.Session) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	var leaves []leaf
	s.View(func(m *member.Member) {
		if r, _ = m.Room(r.URI); r.Tree == nil {
			return
		}
		for i, n := range r.Tree.All() {
			l := leafOf(i, n)
			l.Own = i == r.OwnLeaf
			leaves = append(leaves, l)
		}
	})
	if o.JSON {
		return o.IO.JSON(struct {
			Room          ident.URI `json:"room"`
			Epoch         uint64    `json:"epoch"`
			Authenticator hexBytes  `json:"epoch_authenticator"`
			Members       []leaf    `json:"members"`
		}{r.URI, r.Epoch, r.Authenticator, leaves})
	}
	fmt.Fprintf(o.IO.Out, "%s, epoch %d\n\n", o.IO.Paint(term.Bold, client.Short(r.URI)), r.Epoch)
	t := table{{"LEAF", "DEVICE", "SIGNATURE KEY", "LEAF NODE FROM"}}
	for _, l := range leaves {
		name := client.Short(l.Client)
		if l.Own {
			name += " (this one)"
		}
		t = append(t, []string{fmt.Sprint(l.Leaf), name, fmt.Sprintf("%.8x", []byte(l.SignatureKey)), l.Source})
	}
	t.write(o.IO)
	fmt.Fprintf(o.IO.Out, "\nepoch authenticator %s\n", groupsOf(r.Authenticator))
	return nil
}

// groupsOf writes the beginning of what people compare, four digits at a time.
func groupsOf(b []byte) string {
	s := hex.EncodeToString(b[:min(len(b), 16)])
	out := ""
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			out += " "
		}
		out += s[i:min(i+4, len(s))]
	}
	return out
}
