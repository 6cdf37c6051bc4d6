package scenario

import "testing"

func BenchmarkLoad(b *testing.B) {
	data, err := Source("dma-launch-2024")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load("dma-launch-2024.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}
