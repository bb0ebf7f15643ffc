package exchange

import (
	"errors"
	"fmt"
	"testing"
)

func TestField(t *testing.T) {
	ex := &Exchange{Fields: []Field{{[]byte("X-One"), []byte("1")}, {[]byte("ACCEPT"), []byte("*/*")}}}
	f := func(lower, want string) {
		t.Helper()
		if got := string(ex.Field(lower)); got != want {
			t.Errorf("Field(%q) = %q; want %q", lower, got, want)
		}
	}
	f("x-one", "1")
	f("accept", "*/*")
	f("accep", "")
	f("x_one", "")
}

func TestStatusOf(t *testing.T) {
	f := func(err error, want int) {
		t.Helper()
		if got := StatusOf(err); got != want {
			t.Errorf("StatusOf(%v) = %d; want %d", err, got, want)
		}
	}
	f(errors.New("boom"), 500)
	f(Errorf(413, "too big"), 413)
	f(fmt.Errorf("reading: %w", Errorf(408, "slow")), 408)
}

type closer struct{ n int }

func (c *closer) Close() error { c.n++; return nil }

func TestReleaseOnce(t *testing.T) {
	c := &closer{}
	r := Response{Owner: c}
	for range 2 {
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if c.n != 1 {
		t.Fatalf("owner closed %d times; want once", c.n)
	}
}
