// Package mlsclient holds the gRPC calls by which MLS implementations are tested
// against each other: the interop client interface of the IETF MLS working group
// (https://github.com/mlswg/mls-implementations), generated from
// mls_client.proto. Its words are those of RFC 9420
// (https://www.rfc-editor.org/rfc/rfc9420).
//
// A test or a measurement is the client; an implementation is the server. The
// crate in bench/peers/rust serves two of them:
//
//	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
//	peer := mlsclient.NewMLSClientClient(conn)
//	name, err := peer.Name(ctx, &mlsclient.NameRequest{})
//
// Everything else about a peer, starting it above all, is the caller's.
package mlsclient

// The plugins are those that tools/go.mod pins; protoc is any that reads proto3.
//go:generate sh -c "protoc -I. --plugin=protoc-gen-go=$(go tool -modfile=../../../tools/go.mod -n protoc-gen-go) --plugin=protoc-gen-go-grpc=$(go tool -modfile=../../../tools/go.mod -n protoc-gen-go-grpc) --go_out=paths=source_relative:. --go-grpc_out=paths=source_relative:. mls_client.proto"
