package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
)

// TestHeader holds the Go constants against those of the C half.
func TestHeader(t *testing.T) {
	src, err := os.ReadFile("../../pyhost/worker/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	c := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define HG_([A-Z0-9_]+) (0x[0-9a-f]+|[0-9]+)`).FindAllStringSubmatch(string(src), -1) {
		v, err := strconv.ParseUint(m[2], 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		c[m[1]] = v
	}
	goConsts := map[string]uint64{
		"REQUEST_MAGIC": RequestMagic, "MAX_VARS": MaxVars, "MAX_INLINE_BODY": MaxInlineBody, "REQUEST_BODY_FD": RequestBodyFD, "REQUEST_BODY_PIPE": RequestBodyPipe,
		"MAX_HEAD": MaxHead, "MAX_FRAME": MaxFrame, "FRAME_HEAD": FrameHead, "FRAME_FIN": FrameFin, "FRAME_FILE": FrameFile,
		"FRAME_ABORT": FrameAbort, "WINDOW": Window, "NOTE_WINDOW": NoteWindow, "NOTE_CANCEL": NoteCancel,
		"MAX_CONTROL_TEXT": MaxControlText, "CTL_FORK": ControlFork, "CTL_IMPORTED": ControlImported, "CTL_FORKED": ControlForked,
		"CTL_EXITED": ControlExited, "CTL_FAILED": ControlFailed, "CTL_FRONT": ControlFront, "CTL_DROP": ControlDrop,
		"CTL_STOP": ControlStop, "CTL_READY": ControlReady, "FD_CONTROL": FDControl, "FD_SETTINGS": FDSettings,
		"FD_QUEUE": FDQueue, "FD_SCOREBOARD": FDScoreboard, "SCOREBOARD_MAGIC": BoardMagic, "SLOT_SIZE": SlotSize,
		"SLOT_EMPTY": SlotEmpty, "SLOT_IDLE": SlotIdle, "SLOT_BUSY": SlotBusy, "SLOT_CLOSING": SlotClosing,
	}
	for name, v := range c {
		if g, ok := goConsts[name]; !ok || g != v {
			t.Errorf("wire.h has HG_%s = %d; Go has %d (known: %v)", name, v, g, ok)
		}
	}
	for name := range goConsts {
		if _, ok := c[name]; !ok {
			t.Errorf("wire.h lacks HG_%s", name)
		}
	}
	for name, size := range map[string]int{"hg_request": RequestLen, "hg_frame": FrameLen, "hg_note": NoteLen, "hg_file": FileLen, "hg_control": ControlLen} {
		if !strings.Contains(string(src), "sizeof(struct "+name+") == "+strconv.Itoa(size)) {
			t.Errorf("wire.h does not assert that struct %s has %d bytes", name, size)
		}
	}
}

func TestConn(t *testing.T) {
	a, b, err := Socketpair(unix.SOCK_SEQPACKET, "test")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := NewConn(a)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := NewConn(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	big := strings.Repeat("x", 1<<20)
	for _, m := range []*Message{{Type: MsgReady}, {Type: MsgApp, App: "blog", Error: big}} {
		errc := make(chan error, 1)
		go func() { errc <- ca.Send(m, f) }()
		got, files, err := cb.Recv()
		if err != nil || <-errc != nil {
			t.Fatal(err)
		}
		if got.Type != m.Type || got.App != m.App || got.Error != m.Error || len(files) != 1 {
			t.Fatalf("got %v with %d files; want %v with 1", got.Type, len(files), m.Type)
		}
		files[0].Close()
	}
	ca.Close()
	if _, _, err := cb.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("Recv after close: %v; want EOF", err)
	}
	cb.Close()
}

func TestBoard(t *testing.T) {
	f, err := NewBoard("test", 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBoard(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Processes() != 2 || b.Threads() != 3 {
		t.Fatalf("board has %d workers of %d threads; want 2 of 3", b.Processes(), b.Threads())
	}
	if s := b.Slot(1, 2); s.State != SlotEmpty || s.ID != 0 {
		t.Fatalf("last slot is %+v; want it empty", s)
	}
}

func TestParseFrameRefuses(t *testing.T) {
	f := func(name string, b []byte) {
		t.Helper()
		if fr, _, err := ParseFrame(b); err == nil || errors.Is(err, ErrShort) {
			t.Errorf("%s: got %+v, %v; want an error", name, fr, err)
		}
	}
	good := AppendFrame(nil, Frame{ID: 1, Flags: FrameHead, Head: []byte("head"), Body: []byte("body")})
	edit := func(at int, v byte) []byte { b := bytes.Clone(good); b[at] = v; return b }
	f("unknown flag", edit(5, 0x80))
	f("huge length", edit(3, 0x7f))
	f("head longer than frame", edit(16, 200))
	f("head without flag", edit(4, 0))
	f("flag without head", edit(16, 0))
	f("reserved", edit(20, 1))
	f("file frame of a wrong size", edit(4, FrameHead|FrameFile))
}

func FuzzParseFrame(f *testing.F) {
	head := AppendHead(nil, Head{Status: 200, Reason: []byte("OK"), Fields: []exchange.Field{{Name: []byte("A"), Value: []byte("b")}}})
	f.Add(AppendFrame(nil, Frame{ID: 7, Flags: FrameHead | FrameFin, Head: head, Body: []byte("body")}))
	f.Add(AppendFrame(nil, Frame{ID: 7, Flags: FrameFile | FrameFin, Offset: 1, Count: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, n, err := ParseFrame(b)
		if err != nil {
			return
		}
		if again := AppendFrame(nil, fr); !bytes.Equal(again, b[:n]) {
			t.Fatalf("frame %q parses and encodes as %q", b[:n], again)
		}
		var h Head
		if fr.Flags&FrameHead != 0 && ParseHead(&h, fr.Head) == nil {
			if again := AppendHead(nil, h); !bytes.Equal(again, fr.Head) {
				t.Fatalf("head %q parses and encodes as %q", fr.Head, again)
			}
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add(append(AppendRequest(nil, Request{Front: 1, ID: 2, BodyLen: 4, VarsLen: 4}), "\x00\x00\x00\x00body"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, packet, body, err := ParseRequest(b)
		if err != nil {
			return
		}
		again := append(append(AppendRequest(nil, r), packet...), body...)
		if !bytes.Equal(again, b) {
			t.Fatalf("message %q parses and encodes as %q", b, again)
		}
	})
}
