package master

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/config"
	"hognose/internal/wire"
)

// The test binary plays all roles: the master starts it as front and zygote, the zygote as worker. What they shall do is said
// by files in their directory: that of the configuration's temp_path for the front, chdir for the others.

const fakeWorkerEnv = "HOGNOSE_TEST_WORKER"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(fakeWorkerEnv) != "":
		fakeWorker()
	case os.Getenv(RoleEnv) == RoleFront:
		fakeFront()
	case os.Getenv(RoleEnv) == RolePython:
		fakeZygote()
	case os.Getenv(fakeMasterEnv) != "":
		fakeMaster(os.Getenv(fakeMasterEnv))
	}
	os.Exit(m.Run())
}

// told reports whether a file says to do something.
func told(dir, sign string) bool {
	_, err := os.Stat(filepath.Join(dir, sign))
	return err == nil
}

// obey waits for as long as a file says to.
func obey(dir, sign string) {
	for told(dir, sign) {
		time.Sleep(2 * time.Millisecond)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		syscall.Exit(99)
	}
}

func file(fd int) *os.File { return os.NewFile(uintptr(fd), fmt.Sprint("fd ", fd)) }

// receive reads one control message with its descriptors; ok is false when the peer is gone.
func receive(sock *os.File) (msg wire.Control, files []*os.File, ok bool) {
	buf, oob := make([]byte, 4096), make([]byte, 256)
	var n, oobn int
	err := unix.EINTR
	for errors.Is(err, unix.EINTR) {
		var e error
		n, oobn, _, _, e = unix.Recvmsg(int(sock.Fd()), buf, oob, unix.MSG_CMSG_CLOEXEC)
		err, _ = e.(syscall.Errno)
	}
	if n <= 0 {
		return msg, nil, false
	}
	fds, _ := wire.ParseRights(oob[:oobn])
	for _, fd := range fds {
		files = append(files, file(fd))
	}
	msg, perr := wire.ParseControl(buf[:n])
	must(perr)
	return msg, files, true
}

// fakeZygote does what a zygote does. Signs: import-hang, import-fail, import-die, stop-ignore.
func fakeZygote() {
	dir, _ := os.Getwd()
	control := file(wire.FDControl)
	fmt.Println("importing")
	obey(dir, "import-hang")
	switch {
	case told(dir, "import-fail"):
		fmt.Println("Traceback (most recent call last):")
		fmt.Println("SyntaxError: broken")
		must(wire.SendControl(control, wire.Control{Type: wire.ControlFailed, Text: "SyntaxError: broken"}))
		syscall.Exit(1)
	case told(dir, "import-die"):
		syscall.Exit(3)
	}
	must(wire.SendControl(control, wire.Control{Type: wire.ControlImported}))
	for {
		msg, files, ok := receive(control)
		switch {
		case !ok:
			syscall.Exit(0)
		case msg.Type == wire.ControlFork:
			fakeFork(control, msg.Worker, files[0], files[1])
		case msg.Type == wire.ControlStop && !told(dir, "stop-ignore"):
			syscall.Exit(0)
		}
	}
}

var sending sync.Mutex // guards the zygote's control socket

func fakeFork(control *os.File, worker uint32, sock, out *os.File) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args[0] = fmt.Sprintf("hognose: app fake worker %d", worker+1)
	cmd.Env = append(os.Environ(), fakeWorkerEnv+"="+fmt.Sprint(worker))
	cmd.ExtraFiles = []*os.File{sock, file(wire.FDQueue), file(wire.FDScoreboard)}
	cmd.Stdout, cmd.Stderr = out, out
	must(cmd.Start())
	sock.Close()
	out.Close()
	sending.Lock()
	defer sending.Unlock()
	must(wire.SendControl(control, wire.Control{Type: wire.ControlForked, Worker: worker, Arg: uint64(cmd.Process.Pid)}))
	go func() {
		_ = cmd.Wait()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		sending.Lock()
		defer sending.Unlock()
		must(wire.SendControl(control, wire.Control{Type: wire.ControlExited, Worker: worker, Arg: uint64(status)<<32 | uint64(cmd.Process.Pid)}))
	}()
}

// fakeProcess is a worker that answers each request with its pid. Signs: worker-die, worker-slow, worker-leaves-child, stop-ignore; the
// request "hold" lasts as long as the file of that name.
type fakeProcess struct {
	dir            string
	control, queue *os.File
	mu             sync.Mutex // guards what follows
	streams        map[uint32]*os.File
	latest         uint32 // front
}

func fakeWorker() {
	dir, _ := os.Getwd()
	w := &fakeProcess{dir: dir, control: file(3), queue: file(4), streams: map[uint32]*os.File{}}
	fmt.Println("worker begins")
	if told(dir, "worker-die") {
		syscall.Exit(7)
	}
	if told(dir, "worker-leaves-child") {
		leaveChild()
	}
	go w.serve()
	w.obeyMaster()
}

func (w *fakeProcess) serve() {
	obey(w.dir, "worker-slow")
	must(wire.SendControl(w.control, wire.Control{Type: wire.ControlReady}))
	for {
		msg := make([]byte, 4096)
		n, err := w.queue.Read(msg)
		must(err)
		r, body, _, err := wire.ParseRequest(msg[:n])
		must(err)
		stream := w.find(r.Front)
		if string(body) == "hold" {
			fakeBusy(r.ID)
			obey(w.dir, "hold")
		}
		frame := wire.AppendFrame(nil, wire.Frame{ID: r.ID, Flags: wire.FrameFin, Body: []byte(fmt.Sprint(os.Getpid()))})
		if stream != nil {
			_, _ = stream.Write(frame) // a dead front needs no answer
		}
	}
}

// find returns the stream of a front, nil when that is dead. A request may come before the word of its front.
func (w *fakeProcess) find(front uint32) *os.File {
	for {
		w.mu.Lock()
		stream, gone := w.streams[front], front < w.latest
		w.mu.Unlock()
		if stream != nil || gone {
			return stream
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *fakeProcess) obeyMaster() {
	for {
		msg, files, ok := receive(w.control)
		front := uint32(msg.Arg)
		switch {
		case !ok:
			syscall.Exit(0)
		case msg.Type == wire.ControlFront:
			w.mu.Lock()
			w.latest, w.streams[front] = front, files[0]
			w.mu.Unlock()
		case msg.Type == wire.ControlDrop:
			w.mu.Lock()
			w.streams[front].Close() // a front it does not know is nil, for which Close does nothing
			delete(w.streams, front)
			w.mu.Unlock()
		case msg.Type == wire.ControlStop && !told(w.dir, "stop-ignore"):
			syscall.Exit(0)
		}
	}
}

// leaveChild starts a process that starts another one and ends, so that this one has no parent.
func leaveChild() {
	out, err := exec.Command("/bin/sh", "-c", "sleep 0.01 & echo left one behind").Output()
	must(err)
	fmt.Printf("%s", out)
}

// fakeBusy writes into the scoreboard that the only thread of this worker works on a request.
func fakeBusy(id uint64) {
	board := file(5)
	var worker int
	_, err := fmt.Sscan(os.Getenv(fakeWorkerEnv), &worker)
	must(err)
	slot := binary.LittleEndian.AppendUint32(nil, uint32(os.Getpid()))
	slot = binary.LittleEndian.AppendUint32(slot, wire.SlotBusy)
	slot = binary.LittleEndian.AppendUint64(slot, id)
	_, err = board.WriteAt(slot, int64(wire.SlotSize*(1+worker)))
	must(err)
}

// fakeFrontend is a front that takes one line per connection, "app" or "app request", and answers with the pid of the worker.
type fakeFrontend struct {
	conn      *wire.Conn
	mu        sync.Mutex // guards what follows
	dir       string
	number    uint32
	lastID    uint64
	active    map[string]uint64
	queues    map[uint64]*os.File
	queuesIn  map[uint64]*os.File    // the workers' ends
	inQueue   map[uint64]uint64      // generations, by request id
	waiting   map[uint64]chan string // answers, by request id
	underWay  map[uint64]int         // requests, by generation
	listeners map[string]net.Listener
}

// fakeFront does what a front does. Signs: front-die and front-hang (at start), front-refuse (configurations), front-hold (retires), stop-hang.
func fakeFront() {
	conn, err := wire.NewConn(file(FrontFD))
	must(err)
	f := &fakeFrontend{
		conn: conn, active: map[string]uint64{}, listeners: map[string]net.Listener{},
		queues: map[uint64]*os.File{}, queuesIn: map[uint64]*os.File{}, inQueue: map[uint64]uint64{},
		waiting: map[uint64]chan string{}, underWay: map[uint64]int{},
	}
	for {
		msg, files, err := conn.Recv()
		if err != nil {
			syscall.Exit(1)
		}
		f.mu.Lock()
		f.handle(msg, files)
		f.mu.Unlock()
	}
}

func (f *fakeFrontend) handle(msg *wire.Message, files []*os.File) {
	if f.dir != "" {
		note(f.dir, fmt.Sprintf("%d %s %s %d %d", f.number, msg.Type, msg.App, msg.Generation, len(files)))
	}
	switch msg.Type {
	case wire.MsgLogs:
		for _, log := range files {
			fmt.Fprintf(log, "front writes to its log\n")
			log.Close()
		}
	case wire.MsgConfig:
		f.configure(msg)
	case wire.MsgApp:
		f.queues[msg.Generation], f.queuesIn[msg.Generation] = files[0], files[1]
		files[2].Close()
	case wire.MsgWorker:
		go f.readStream(files[0])
	case wire.MsgActivate:
		f.takeBack(f.active[msg.App], msg.Generation)
		f.active[msg.App] = msg.Generation
	case wire.MsgRetire:
		go f.retire(msg)
	case wire.MsgListeners:
		f.listen(msg.Listeners, files)
	case wire.MsgStop:
		go func() {
			obey(f.dir, "stop-hang")
			syscall.Exit(0)
		}()
	}
}

// note adds a line to what the front has been told.
func note(dir, line string) {
	log, err := os.OpenFile(filepath.Join(dir, "told"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	must(err)
	fmt.Fprintln(log, line)
	log.Close()
}

func (f *fakeFrontend) configure(msg *wire.Message) {
	var cfg config.Config
	must(json.Unmarshal(msg.Config, &cfg))
	f.dir, f.number = cfg.TempPath, msg.Front
	if told(f.dir, "front-die") {
		syscall.Exit(5)
	}
	obey(f.dir, "front-hang")
	answer := &wire.Message{Type: wire.MsgApplied, Generation: msg.Generation}
	if told(f.dir, "front-refuse") {
		answer.Error = "routes make no sense"
	}
	if told(f.dir, "front-die-on-reload") && msg.Generation > 1 {
		os.Remove(filepath.Join(f.dir, "front-die-on-reload"))
		syscall.Exit(6)
	}
	must(f.conn.Send(answer))
}

func (f *fakeFrontend) retire(msg *wire.Message) {
	obey(f.dir, "front-hold")
	for f.busy(msg.Generation) {
		time.Sleep(time.Millisecond)
	}
	must(f.conn.Send(&wire.Message{Type: wire.MsgRetired, App: msg.App, Generation: msg.Generation}))
}

// takeBack moves requests that no worker has received to another generation. mu is held.
func (f *fakeFrontend) takeBack(from, to uint64) {
	if from == to || f.queuesIn[from] == nil {
		return
	}
	for {
		msg := make([]byte, 4096)
		n, _, err := unix.Recvfrom(int(f.queuesIn[from].Fd()), msg, unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		r, _ := wire.ParseRequestHeader(msg[:n])
		f.underWay[from]--
		f.underWay[to]++
		f.inQueue[r.ID] = to
		_, err = f.queues[to].Write(msg[:n])
		must(err)
	}
}

func (f *fakeFrontend) busy(generation uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.underWay[generation] > 0
}

func (f *fakeFrontend) listen(keys []string, files []*os.File) {
	next := map[string]net.Listener{}
	for i, key := range keys {
		if next[key] = f.listeners[key]; next[key] == nil {
			ln, err := net.FileListener(files[i])
			must(err)
			next[key] = ln
			go f.serve(ln)
		}
		delete(f.listeners, key)
		files[i].Close()
	}
	for _, ln := range f.listeners {
		ln.Close()
	}
	first := len(f.listeners) == 0
	f.listeners = next
	if first {
		must(f.conn.Send(&wire.Message{Type: wire.MsgReady}))
	}
}

func (f *fakeFrontend) serve(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			line, err := bufio.NewReader(c).ReadString('\n')
			if err == nil {
				app, request, _ := strings.Cut(strings.TrimSpace(line), " ")
				fmt.Fprintln(c, f.request(app, request))
			}
		}()
	}
}

// request sends a request and waits for its answer. "kill PID WORKER" is no request, but reports harakiri of that worker.
func (f *fakeFrontend) request(app, request string) string {
	f.mu.Lock()
	var pid, worker int
	if n, _ := fmt.Sscanf(request, "kill %d %d", &pid, &worker); n == 2 {
		must(f.conn.Send(&wire.Message{Type: wire.MsgKill, App: app, Generation: f.active[app], PID: pid, Worker: worker}))
		f.mu.Unlock()
		return "asked"
	}
	f.lastID++
	id, answer := f.lastID, make(chan string, 1)
	f.waiting[id] = answer
	f.inQueue[id] = f.active[app]
	queue := f.queues[f.active[app]]
	f.underWay[f.active[app]]++
	if queue != nil {
		msg := wire.AppendRequest(nil, wire.Request{Front: f.number, ID: id, VarsLen: uint32(len(request))})
		_, err := queue.Write(append(msg, request...))
		must(err)
	}
	f.mu.Unlock()
	if queue == nil {
		return "no such app"
	}
	got := <-answer
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underWay[f.inQueue[id]]--
	return got
}

func (f *fakeFrontend) readStream(stream *os.File) {
	defer stream.Close()
	buf := make([]byte, 4096)
	for {
		n, err := stream.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) > 0; {
			frame, used, err := wire.ParseFrame(b)
			must(err)
			f.mu.Lock()
			f.waiting[frame.ID] <- string(frame.Body)
			f.mu.Unlock()
			b = b[used:]
		}
	}
}
