// Package protofield reads the fields of messages in the Protocol Buffers wire format
// (https://protobuf.dev/programming-guides/encoding/) that are few enough to be read by
// hand.
package protofield

import "google.golang.org/protobuf/encoding/protowire"

// Each calls f for each field of a message, in their order: v holds the bytes of a
// length-delimited field, as a part of data, and n the value of a varint. Fields of other
// types come with neither. It ends at the first error of f and returns it, or one of
// package protowire if the message is malformed.
func Each(data []byte, f func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error) error {
	for len(data) > 0 {
		num, typ, used := protowire.ConsumeTag(data)
		if used < 0 {
			return protowire.ParseError(used)
		}
		data = data[used:]
		var v []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			v, used = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			n, used = protowire.ConsumeVarint(data)
		default:
			used = protowire.ConsumeFieldValue(num, typ, data)
		}
		if used < 0 {
			return protowire.ParseError(used)
		}
		data = data[used:]
		if err := f(num, typ, v, n); err != nil {
			return err
		}
	}
	return nil
}
