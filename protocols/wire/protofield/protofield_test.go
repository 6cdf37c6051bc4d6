package protofield

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestEach(t *testing.T) {
	t.Parallel()
	whole := []byte{
		0x08, 0x96, 0x01, // 1: 150, the encoding guide's example
		0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g', // 2: its second
		0x1d, 1, 2, 3, 4, // 3: four bytes
	}
	var got []string
	note := func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error {
		got = append(got, fmt.Sprintf("%d/%d %q %d", num, typ, v, n))
		return nil
	}
	want := []string{`1/0 "" 150`, `2/2 "testing" 0`, `3/5 "" 0`}
	if err := Each(whole, note); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for n := range whole {
		ends := n == 0 || n == 3 || n == 12
		if err := Each(whole[:n], note); ends != (err == nil) {
			t.Errorf("the first %d bytes: got %v", n, err)
		}
	}
	stop := errors.New("enough")
	if err := Each(whole, func(protowire.Number, protowire.Type, []byte, uint64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
}

func FuzzEach(f *testing.F) {
	f.Add([]byte{0x08, 0x96, 0x01})
	f.Add([]byte{0x12, 0x02, 'h', 'i'})
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, size := 0, 0
		err := Each(data, func(_ protowire.Number, _ protowire.Type, v []byte, _ uint64) error {
			fields, size = fields+1, size+len(v)
			return nil
		})
		if fields+size > len(data) {
			t.Errorf("%d fields of %d bytes in %d bytes (%v)", fields, size, len(data), err)
		}
	})
}
