package invocation

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzBody holds the reader of bodies against encoding/base64, for buffers of any size.
func FuzzBody(f *testing.F) {
	f.Add([]byte("hello"), 1)
	f.Add([]byte{}, 2)
	f.Add([]byte("a"), 3)
	f.Add([]byte("ab"), 4)
	f.Add(bytes.Repeat([]byte("0123456789"), 1000), 1<<10)
	f.Fuzz(func(t *testing.T, body []byte, size int) {
		encoded := []byte(base64.StdEncoding.EncodeToString(body))
		r := &Request{body: encoded}
		var got []byte
		in, p := r.Body(), make([]byte, 1+(size&0xfff))
		for {
			n, err := in.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			switch {
			case err != nil:
				t.Fatalf("%v, want nil", err)
			case n == 0:
				t.Fatalf("%d bytes, want not 0", n)
			}
		}
		if !bytes.Equal(got, body) {
			t.Errorf("got %d bytes, want %d", len(got), len(body))
		}
		if err := iotest.TestReader(r.Body(), body); err != nil {
			t.Error(err)
		}
	})
}

// What isBase64 accepts, both decoders read alike, padding with bits in it included.
func FuzzBodyOfAnyBase64(f *testing.F) {
	f.Add([]byte("QQ=="))
	f.Add([]byte("QR=="))
	f.Add([]byte("QUI="))
	f.Add([]byte("QUJDQQ=="))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if !isBase64(encoded) {
			return
		}
		want, wantErr := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(encoded)))
		got, err := io.ReadAll((&Request{body: encoded}).Body())
		switch {
		case !bytes.Equal(got, want):
			t.Errorf("%q: %q, want %q", encoded, got, want)
		case (err == nil) != (wantErr == nil):
			t.Errorf("%q: %q, %v; encoding/base64 has %q, %v: err == nil = %v, want %v", encoded, got, err, want, wantErr, err == nil, wantErr == nil)
		}
	})
}

func TestABodyIsDecodedWithoutACopyOfIt(t *testing.T) {
	r := &Request{body: []byte(base64.StdEncoding.EncodeToString(make([]byte, 200_000)))}
	buffer := make([]byte, 32<<10)
	allocs := testing.AllocsPerRun(10, func() {
		in := r.Body()
		for {
			if _, err := in.Read(buffer); err != nil {
				return
			}
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations, want at most 1", allocs)
	}
}

func BenchmarkBody(b *testing.B) {
	r := &Request{body: []byte(base64.StdEncoding.EncodeToString(make([]byte, 200_000)))}
	buffer := make([]byte, 32<<10)
	b.SetBytes(200_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body()}, buffer); err != nil {
			b.Fatal(err)
		}
	}
}
