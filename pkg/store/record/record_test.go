package record

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// fillIn sets every field below v to something that is not empty.
func fillIn(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 3, 1, 12, 3, 0, 123456789, time.Local)
		return
	case *invocation.ID:
		*x = invocation.NewID(time.Now())
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text \x00 of " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 << 33)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillIn(t, v.Index(i))
		}
	default:
		t.Fatalf("a field of kind %s: say here how to fill it", v.Kind())
	}
}

// TestNoFieldOfAnInvocationIsForgotten fails when a field is added to an
// invocation and not to its record.
func TestNoFieldOfAnInvocationIsForgotten(t *testing.T) {
	t.Parallel()
	var all invocation.Invocation
	fillIn(t, reflect.ValueOf(&all).Elem())
	wantRoundTrip(t, &all)
	wantRoundTrip(t, &invocation.Invocation{})
	for i := range reflect.TypeFor[invocation.Invocation]().NumField() {
		var one invocation.Invocation
		fillIn(t, reflect.ValueOf(&one).Elem().Field(i))
		wantRoundTrip(t, &one)
	}
}

func wantRoundTrip(t *testing.T, want *invocation.Invocation) {
	t.Helper()
	got, err := Decode(want.ID, Encode(want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
}

// TestARecordOfALaterVersionIsRead: fields will be added, and a program that does
// not know them passes over them.
func TestARecordOfALaterVersionIsRead(t *testing.T) {
	t.Parallel()
	b, err := msgpack.Marshal(map[string]any{"c": "call", "new": []int{1, 2}, "z": 7, "other": map[string]any{"a": 1}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(invocation.ID{}, b)
	switch {
	case err != nil:
		t.Errorf("read %+v, %v, want no error", got, err)
	case got.CallID != "call":
		t.Errorf(`read %+v, %v, want CallID "call"`, got, err)
	case got.Size != 7:
		t.Errorf("read %+v, %v, want size 7", got, err)
	}
}

func TestNoiseIsNoRecord(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {0xc1}, {map16, 0, 1}, []byte("text"), {map16, 0, 1, 0xa1, 'c', 0x01}} {
		if inv, err := Decode(invocation.ID{}, b); err == nil && inv.CallID != "" {
			t.Errorf("%x is read as %+v, want CallID empty", b, inv)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	now := time.Now()
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "9d8aaa1a-0000-4000-8000-0123456789ab", Function: "figlet", Size: 600,
		Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Accepted: now, Since: now,
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Encode(inv)
		}
	})
	raw := Encode(inv)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(inv.ID, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
