package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/wire"
)

// lieVar tells the fake server how to break its promises; without it the server is honest.
const lieVar = "HOLDFAST_CHAOS_TEST_LIE"

// fakeServer is a key-value server as small as can be: a map, and a file of the requests that
// changed it. A write is in the file before it is acknowledged or seen, so that all of it survives
// SIGKILL (and nothing a power cut). With a lie it fails in exactly one way.
type fakeServer struct {
	lie   string
	again bool // not the first start

	disk   fakeDisk
	mu     sync.Mutex // guards what follows, and makes each request atomic
	file   *os.File
	values map[string][]byte
	older  map[string][]byte // what values held before
	writes int
	reads  int
}

// fakeSync is what a sync would take. It makes sure that a kill finds writes in flight.
const fakeSync = time.Millisecond

// Every oneIn-th occasion for a lie is taken.
const oneIn = 10

func fakeServerMain(args []string) error {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	dir := flags.String("data", "", "")
	addr := flags.String("addr", "", "")
	flags.String("sync", "", "")
	flags.String("log-format", "", "")
	s := &fakeServer{lie: os.Getenv(lieVar), values: map[string][]byte{}, older: map[string][]byte{}}
	s.disk.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := s.openDisk(); err != nil {
		return err
	}
	if s.lie == "wont-start" {
		return errors.New("no such flag: --data")
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	log.Info(msgRecovering, "dir", *dir)
	if err := s.recover(filepath.Join(*dir, "requests")); err != nil {
		log.Error("cannot recover", "err", err)
		os.Exit(6)
	}
	log.Info(msgServing, "addr", ln.Addr().String())
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go s.converse(conn)
	}
}

// recover replays the file and cuts what a kill left unfinished at its end.
func (s *fakeServer) recover(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.again = err == nil
	whole := 0
	for r := bytes.NewReader(old); ; whole = len(old) - r.Len() {
		payload, err := wire.ReadFrame(r, wire.DefaultMaxFrameBytes, nil)
		if err != nil {
			break
		}
		req, err := wire.ParseRequest(payload)
		if err != nil {
			return err
		}
		s.apply(&req)
	}
	if s.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return err
	}
	if s.again {
		s.lieInRecovery()
	}
	return s.file.Truncate(int64(whole))
}

func (s *fakeServer) lieInRecovery() {
	n := 0
	var last string
	for key, value := range s.values {
		if n++; n%oneIn != 0 {
			last = key
			continue
		}
		switch s.lie {
		case "flip-bits":
			value[len(value)/2] ^= 0x10
		case "mix-up-keys":
			s.values[key] = s.values[last]
		}
	}
	switch s.lie {
	case "lose-all":
		clear(s.values)
	case "invent":
		s.values["lost+found"] = []byte("where does this come from?")
	case "refuse":
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("damage found", "file", "requests")
		os.Exit(6)
	case "mute":
		select {}
	case "slow":
		time.Sleep(50 * time.Millisecond) // there is nothing to see here: it stands for work
	}
}

func (s *fakeServer) converse(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		payload, err := wire.ReadFrame(in, wire.DefaultMaxFrameBytes, nil)
		if err != nil {
			return
		}
		req, err := wire.ParseRequest(payload)
		if err != nil {
			return
		}
		go s.answer(conn, &req)
	}
}

// answer carries out a request. An error of the connection is left for the next read of it to find.
func (s *fakeServer) answer(conn net.Conn, req *wire.Request) {
	reply, say := s.handle(req)
	if req.Op.IsWrite() {
		time.Sleep(fakeSync)
		s.sync(req, &reply)
	}
	if say {
		_, _ = conn.Write(wire.AppendReply(nil, &reply))
	}
}

// handle carries out a request; say is false when it is to stay without an answer.
func (s *fakeServer) handle(req *wire.Request) (reply wire.Reply, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply = wire.Reply{ID: req.ID, Op: req.Op}
	switch req.Op {
	case wire.OpGet:
		s.get(req, &reply)
		return reply, !(s.disk.faulty && s.lie == "hang-reads")
	case wire.OpKeys:
		for _, key := range slices.Sorted(maps.Keys(s.values)) {
			reply.Pairs = append(reply.Pairs, wire.Pair{Key: []byte(key)})
		}
		return reply, true
	}
	if done := s.failByRule(&reply); done {
		return reply, true
	}
	s.writes++
	_, reply.Exists = s.values[string(req.Key)]
	say = true
	if s.writes%oneIn == 0 || s.lie == "no-load" {
		var done bool
		if done, say = s.lieInWrite(req, &reply); done {
			return reply, say
		}
	}
	s.persist(req)
	if !s.disk.volatile {
		s.apply(req)
	}
	return reply, true
}

// lieInWrite reports whether it has dealt with req, and whether to answer.
func (s *fakeServer) lieInWrite(req *wire.Request, reply *wire.Reply) (done, say bool) {
	_, present := s.values[string(req.Key)]
	switch {
	case s.lie == "forget" && req.Op == wire.OpSet && !present,
		s.lie == "forget-newest" && req.Op == wire.OpSet && present,
		s.lie == "forget-deletes" && req.Op == wire.OpDelete:
		s.apply(req)
		return true, true
	case s.lie == "tear" && req.Op == wire.OpBulkSet && len(req.Pairs) > 1:
		req.Pairs = req.Pairs[:len(req.Pairs)/2]
		s.persist(req)
		s.apply(req)
		return true, false
	case s.lie == "no-load":
		reply.Status = wire.StatusBusy
		return true, true
	case s.lie == "apply-failed" && req.Op == wire.OpSet:
		reply.Status = wire.StatusDiskFull
		return false, true
	case s.lie == "deny-deletes":
		reply.Exists = false
		return false, true
	case s.lie == "quit" && s.writes > 100:
		fmt.Fprintln(os.Stderr, "panic: this is the last line")
		os.Exit(3)
	}
	return false, true
}

func (s *fakeServer) get(req *wire.Request, reply *wire.Reply) {
	s.reads++
	value, found := s.values[string(req.Key)]
	if old, was := s.older[string(req.Key)]; was && s.lie == "read-stale" && s.reads%oneIn == 0 {
		value = old
	}
	switch {
	case s.disk.faulty && s.lie == "mute-reads":
		reply.Status = wire.StatusBusy
	case s.disk.faulty && s.lie == "untyped-reads":
		reply.Status = wire.StatusInternal
	case s.disk.faulty && s.lie == "unreadable-under-rules":
		reply.Status = wire.StatusReadFailed
	case !found:
		reply.Status = wire.StatusNotFound
	case s.lie == "unreadable" && s.again && s.reads%oneIn == 0:
		reply.Status = wire.StatusReadFailed
	default:
		reply.Value = value
	}
}

func (s *fakeServer) persist(req *wire.Request) {
	if s.disk.volatile && s.lie != "write-through" {
		s.disk.unsynced = wire.AppendRequest(s.disk.unsynced, req)
		s.notePending()
		return
	}
	if _, err := s.file.Write(wire.AppendRequest(nil, req)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (s *fakeServer) apply(req *wire.Request) {
	set := func(key, value []byte) {
		if old, found := s.values[string(key)]; found {
			s.older[string(key)] = old
		}
		s.values[string(key)] = bytes.Clone(value)
	}
	switch req.Op {
	case wire.OpSet:
		set(req.Key, req.Value)
	case wire.OpBulkSet:
		for _, p := range req.Pairs {
			set(p.Key, p.Value)
		}
	case wire.OpDelete:
		delete(s.values, string(req.Key))
	}
}
