package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

func login(who ident.URI, token string) stanza.Stanza {
	return &stanza.IQ{ID: loginID, Type: stanza.Set, Payload: &stanza.Login{Client: who, Token: []byte(token)}}
}

func frame(s stanza.Stanza) []byte { return must(new(encoder).append(nil, s)) }

func send(t *testing.T, w io.Writer, s stanza.Stanza) {
	t.Helper()
	if _, err := w.Write(frame(s)); err != nil {
		t.Fatal(err)
	}
}

// rest returns what the server still says: the conditions of errors, else types.
func rest(nc net.Conn) string {
	var said []string
	f := &frames{line: lineOver(nc, nc)}
	for {
		s, err := f.next(stanza.MaxSize)
		if err != nil {
			return strings.Join(said, " ")
		}
		switch s := s.(type) {
		case *stanza.IQ:
			said = append(said, string(s.Type))
			if s.Error != nil {
				said = append(said, fmt.Sprint(int(s.Error.Code)))
			}
		case *stanza.IB:
			if s.Error != nil { // else it says that nothing waited
				said = append(said, "end", fmt.Sprint(int(s.Error.Code)))
			}
		default:
			said = append(said, fmt.Sprintf("%T", s))
		}
	}
}

// hostile are what peers send, and what they are told before they are cut off.
var hostile = []struct {
	name  string
	login bool // whether it is after a login
	send  []byte
	want  string
}{
	{"nothing", false, nil, ""},
	{"garbage", false, []byte("GET / HTTP/1.1\r\n\r\n"), ""},
	{"an empty frame", false, []byte{0, 0, 0}, ""},
	{"an oversized frame", false, []byte{0, 0x40, 1}, ""},
	{"half a frame", false, []byte{0, 0, 9, 0x10}, ""},
	{"another first stanza", false, frame(&stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.KeepAlive{}}), "error 401"},
	{"a message first", false, frame(&stanza.Ack{Class: stanza.AckMessage, ID: "1", Seq: 1}), ""},
	{"a wrong token", false, frame(login(alice, "bob's")), "error 401"},
	{"no token", false, frame(login(alice, "")), "error 401"},
	{"an unknown client", false, frame(login(uri("mimi://a.example/d/eve/E1"), "alice's")), "error 401"},
	{"a user in place of a client", false, frame(login(uri("mimi://a.example/u/alice"), "alice's")), "error 400"},

	{"silence", true, nil, "result end 408"},
	{"an oversized frame later", true, []byte{0xFF, 0xFF, 0xFF}, "result end 419"},
	{"half a frame later", true, []byte{0, 0, 9, 0x10}, "result end 408"},
	{"garbage later", true, []byte("\x00\x00\x05\x10abcd"), "result end 400"},
	{"another version", true, []byte("\x00\x00\x05\x20abcd"), "result end 419"},
	{"a compressed stanza", true, compressed(), "result end 419"},
	{"no stanza", true, binary(stanza.Node{Tag: "presence"}), "result end 400"},
	{"a malformed stanza", true, binary(stanza.Node{Tag: "ack", Attrs: []stanza.Attr{{Name: "id", Value: "1"}}}), "result end 400"},
	{"a result", true, frame(&stanza.IQ{ID: "1", Type: stanza.Result}), "result end 400"},
	{"a receipt", true, frame(&stanza.Receipt{ID: "1", To: ident.Address{Server: ident.User}}), "result end 400"},
	{"an ack of nothing", true, frame(&stanza.Ack{Class: stanza.AckMessage, ID: "1"}), "result end 400"},
	{"an ack of what was not sent", true, frame(&stanza.Ack{Class: stanza.AckMessage, ID: "1", Room: clubhouse, Seq: 1}), "result end 400"},
	// These are answered, and the connection stays until its silence.
	{"a second login", true, frame(login(bob, "bob's")), "result error 501 end 408"},
	{"another namespace", true, frame(&stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.BlocklistQuery{}}), "result error 501 end 408"},
	{"garbage in a stanza", true, frame(&stanza.IQ{ID: "1", Type: stanza.Set, Payload: &stanza.KeyPackages{List: [][]byte{{1}}}}), "result error 400 end 408"},
}

func compressed() []byte {
	b := must(stanza.AppendCompressed(nil, (&stanza.Receipt{ID: strings.Repeat("1", 4000), To: ident.Address{Server: ident.User}}).Node()))
	return append([]byte{0, byte(len(b) >> 8), byte(len(b))}, b...)
}

func binary(n stanza.Node) []byte {
	b := must(stanza.AppendBinary(nil, n))
	return append([]byte{0, 0, byte(len(b))}, b...)
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Limits{})
				nc := l.pipe()
				go func() {
					if tt.login {
						_, _ = nc.Write(frame(login(alice, "alice's")))
					}
					_, _ = nc.Write(tt.send)
				}()
				began := time.Now()
				if got := rest(nc); got != tt.want {
					t.Errorf("told %q, want %q", got, tt.want)
				}
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("was cut off after %v", took)
				}
				l.wg.Wait()
				if calls := inputs[follower.Call](l.provider); len(calls) != 0 {
					t.Errorf("the provider was called: %+v", calls)
				}
				if !tt.login && l.opens != 0 {
					t.Error("a session was opened for who is not authenticated")
				}
				l.shutdown()
			})
		})
	}
}

// TestSlowloris: who sends a byte now and then is cut off in the time of a frame, and
// before the login in that of the login.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		before []byte
		most   time.Duration
	}{
		{"at the login", nil, 11 * time.Second},
		{"in a frame", frame(login(alice, "alice's")), 100 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Limits{})
				nc := l.pipe()
				go io.Copy(io.Discard, nc)
				began := time.Now()
				_, err := nc.Write(tt.before)
				for b := append([]byte{0, 0x20, 0}, bytes.Repeat([]byte{0x10}, 1000)...); err == nil && len(b) > 0; b = b[1:] {
					time.Sleep(time.Second)
					_, err = nc.Write(b[:1])
				}
				if took := time.Since(began); err == nil || took > tt.most {
					t.Errorf("cut off after %v, %v; want at most %v", took, err, tt.most)
				}
				l.shutdown()
			})
		})
	}
}

// TestManyLogins: peers that do not log in take no more than their share of room, and keep
// nobody out.
func TestManyLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{Logins: 3})
		waiting := func() int {
			synctest.Wait()
			l.server.mu.Lock()
			defer l.server.mu.Unlock()
			return len(l.server.logins)
		}
		var idle []net.Conn
		for range 3 {
			idle = append(idle, l.pipe())
			synctest.Wait()
		}
		c := must(l.dial(alice, "alice's", &inbox{}))
		if n := waiting(); n != 2 {
			t.Errorf("%d are not authenticated, want the newest 2", n)
		}
		if n, err := idle[0].Read(make([]byte, 1)); err == nil {
			t.Errorf("the oldest was told %d bytes, want to be cut off", n)
		}
		for range 10 {
			l.pipe()
			synctest.Wait()
		}
		if n := waiting(); n != 3 || c.Err() != nil {
			t.Errorf("%d are not authenticated, and one that was has ended with %v", n, c.Err())
		}
		time.Sleep(time.Minute)
		if n := waiting(); n != 0 {
			t.Errorf("%d are not authenticated after a minute", n)
		}
		l.shutdown()
	})
}

func TestConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{Connections: 1})
		must(l.dial(alice, "alice's", &inbox{}))
		if _, err := l.dial(bob, "bob's", &inbox{}); err == nil {
			t.Error("a second was let in")
		}
		l.shutdown()
	})
}

// TestAckReplayed: acknowledgements that come again, or out of order, change nothing.
func TestAckReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		l.notify(5)
		c := must(l.dial(alice, "alice's", &inbox{silent: true}))
		for _, seq := range []uint64{5, 5, 1, 5, 2} {
			if _, err := c.Do(t.Context(), follower.Ack{Room: clubhouse, Seq: seq}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := l.acked[alice]; got != 5 {
			t.Errorf("%d acknowledged, want 5", got)
		}
		if c.Err() != nil {
			t.Error(c.Err())
		}
		l.shutdown()
	})
}

// TestIdentity: whatever a client says of itself, the provider hears the client that
// the connection belongs to.
func TestIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		c := must(l.dial(bob, "bob's", &inbox{}))
		in := submit("as alice")
		in.Client = alice
		if _, err := c.Do(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		for _, in := range []any{follower.Leave{Client: alice, Room: clubhouse}, follower.Ack{Client: alice, Room: clubhouse, Seq: 0}} {
			_, _ = c.Do(t.Context(), in)
		}
		synctest.Wait()
		for _, got := range inputs[any](l.provider) {
			if s := fmt.Sprintf("%+v", got); strings.Contains(s, alice.String()) {
				t.Errorf("the provider heard %s", s)
			}
		}
		l.shutdown()
	})
}

// TestAnswersUnread: a client that asks and never reads is cut off.
func TestAnswersUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		nc := l.pipe()
		_, err := nc.Write(frame(login(alice, "alice's")))
		alive := frame(&stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.KeepAlive{}})
		n := 0
		for ; err == nil && n < 10000; n++ {
			_, err = nc.Write(alive)
		}
		if err == nil || n > 200 {
			t.Errorf("%d questions were taken, %v", n, err)
		}
		l.shutdown()
	})
}

// TestHostileServer: a client ends the connection with a server that sends no stanzas,
// and takes no answer to what it did not ask.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		send []byte
		ends bool
	}{
		{"garbage", []byte("\x00\x00\x05\x10abcd"), true},
		{"an empty frame", []byte{0, 0, 0}, true},
		{"a malformed delivery", frame(&stanza.Notification{ID: "1", Seq: 1, Event: &stanza.Body{Tag: stanza.ConsentBody, Data: []byte{9}}}), true},
		{"silence", nil, true},
		{"an answer to nothing", frame(&stanza.IQ{ID: "99", Type: stanza.Result}), false},
		{"what it does not know", frame(&stanza.Notification{ID: "1", Event: stanza.IdentityChange{}}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				go func() {
					_, _ = (&frames{line: lineOver(b, b)}).next(loginSize)
					_, _ = b.Write(frame(&stanza.IQ{ID: loginID, Type: stanza.Result}))
					_, _ = b.Write(tt.send)
					_, _ = io.Copy(io.Discard, b)
				}()
				c := must(NewClient(t.Context(), a, ClientConfig{Client: alice, Deliver: func(follower.Delivery) {}}))
				synctest.Wait()
				if tt.send == nil {
					time.Sleep(5 * time.Minute)
				}
				if err := c.Err(); (err != nil) != tt.ends || err != nil && !errors.Is(err, ErrEnded) {
					t.Errorf("ended with %v, want an end: %v", err, tt.ends)
				}
				_ = c.Close()
			})
		})
	}
}

// FuzzFrames: no bytes make the server's reader panic or take more than it may.
func FuzzFrames(f *testing.F) {
	for _, tt := range hostile {
		f.Add(tt.send)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &frames{line: &line{r: bytes.NewReader(b)}}
		for number := uint64(0); ; number++ {
			s, err := in.next(1 << 20)
			if err != nil {
				if s != nil {
					t.Fatalf("%v, and yet %+v", err, s)
				}
				return
			}
			if q, err := chat.Read(alice, number, s, nil); err != nil && q.Input != nil {
				t.Fatalf("%v, and yet %+v", err, q.Input)
			}
		}
	})
}

// proposals is the body of an event with so many proposals.
func proposals(at uint64, n int) []byte {
	p := message.Message{Public: &message.PublicMessage{Content: message.FramedContent{
		GroupID: []byte("g"), Sender: message.Member(0), Content: message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: 1}}},
	}, Auth: message.FramedContentAuthData{Signature: []byte("s")}, MembershipTag: []byte("m")}}
	return must(wire.Marshal(&mimi.FanoutMessage{Timestamp: at, Message: p, MoreProposals: slices.Repeat([]message.Message{p}, n-1)}))
}

// TestPoison: what a hub has sent and no stanza can carry does not keep a client from all
// that comes after it, in that room and in others.
func TestPoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		in := &inbox{}
		c := must(l.dial(alice, "alice's", in))
		long := must(wire.Marshal(&mimi.FanoutMessage{Timestamp: 1, Message: message.Message{
			Private: &message.PrivateMessage{GroupID: []byte("g"), ContentType: message.ContentApplication, Ciphertext: make([]byte, stanza.MaxSize)},
		}}))
		l.tell(event(1), long, event(3), proposals(1, stanza.MaxNodes), proposals(1, 2), proposals(0, 1), event(7)) // 2 and 4 are too large
		synctest.Wait()
		if got := in.seen(); !slices.Equal(got, []uint64{1, 3, 5, 6, 7}) || c.Err() != nil {
			t.Errorf("%v came, and the connection ended with %v; want all that can be carried", got, c.Err())
		}
		var e *stanza.Error
		credential := message.BasicCredential([]byte("mimi://a.example"))
		l.call = func(context.Context, follower.Call) (follower.Body, error) {
			return &mimi.GroupInfoResponse{Status: mimi.GroupInfoSuccess,
				RoomID: "mimi://a.example/r/clubhouse", CipherSuite: 1, HubSender: message.ExternalSender{SignatureKey: []byte("k"), Credential: credential},
				EncryptedGroupInfoAndTree: message.HPKECiphertext{KEMOutput: []byte("k"), Ciphertext: make([]byte, stanza.MaxSize)}, Signature: []byte("s"),
			}, nil
		}
		if _, err := c.Do(t.Context(), follower.Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: &mimi.GroupInfoRequest{
			CipherSuite: 1, RequestingSignatureKey: []byte("k"), RequestingCredential: credential, GroupInfoPublicKey: []byte("h"), Signature: []byte("s"),
		}}); !errors.As(err, &e) || e.Code != stanza.ResourceLimit || c.Err() != nil {
			t.Errorf("a long answer: %v, and the connection ended with %v; want that it is too large", err, c.Err())
		}
		l.shutdown()
	})
}
