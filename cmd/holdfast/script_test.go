package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestScripts runs the sessions in testdata/script with real processes. They know four commands
// beyond those of testscript:
//
//	server NAME FLAG...        starts "holdfast serve FLAG..." and waits until it serves; from then on
//	                           $HOLDFAST_ADDR is its address, which is where client commands go
//	end NAME SIGNAL [CODE]     sends KILL, TERM or INT and waits; the server must exit with CODE
//	exits CODE PROGRAM ARG...  runs a program that must exit with CODE
//	passes TIME ARG...         runs "holdfast chaos --duration TIME ARG...", which must pass
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each process takes a second to end under -race
			servers := map[string]*process{}
			env.Values["servers"] = servers
			env.Defer(func() {
				for _, p := range servers {
					_, _ = p.stop(os.Kill)
				}
			})
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server": startServer, "end": endServer, "exits": exits, "passes": passes,
		},
	})
}

// process is a server in the background.
type process struct {
	cmd *exec.Cmd
	log chan string // the whole log, once the process has ended
}

// stop signals the process and returns its log, and how it ended. Only the first call signals.
func (p *process) stop(sig os.Signal) (log string, err error) {
	if p.cmd.ProcessState != nil {
		return "", nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		return "", err
	}
	log = <-p.log // before Wait, which closes the pipe
	return log, p.cmd.Wait()
}

func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: server NAME FLAG...")
	}
	cmd := exec.Command(lookPath(ts), append([]string{"serve"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "HOLDFAST_ADDR=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, log: make(chan string, 1)}
	ts.Value("servers").(map[string]*process)[args[0]] = p
	serving := make(chan string, 1)
	go func() { p.log <- follow(stderr, serving) }()
	select {
	case addr := <-serving:
		ts.Setenv("HOLDFAST_ADDR", addr)
	case log := <-p.log:
		p.log <- log
		ts.Fatalf("the server ended instead of serving: %v\n%s", cmd.Wait(), log)
	}
}

// lookPath finds the program under test in the $PATH of the script.
func lookPath(ts *testscript.TestScript) string {
	path, err := exec.LookPath("holdfast")
	ts.Check(err)
	return path
}

// follow reads a log to its end and returns it. The address in the message "serving" is sent.
func follow(r io.Reader, serving chan<- string) string {
	var log strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			serving <- line.Addr
		}
	}
	return log.String()
}

func endServer(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"KILL": os.Kill, "TERM": syscall.SIGTERM, "INT": os.Interrupt}
	if neg || len(args) < 2 || signals[args[1]] == nil {
		ts.Fatalf("usage: end NAME KILL|TERM|INT [CODE]")
	}
	p := ts.Value("servers").(map[string]*process)[args[0]]
	if p == nil {
		ts.Fatalf("no server %s", args[0])
	}
	log, err := p.stop(signals[args[1]])
	ts.Logf("%s", log)
	if len(args) > 2 {
		ts.Check(checkCode(err, args[2]))
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	ts.Check(checkCode(err, args[0]))
}

// passes runs a campaign, and again with twice the time while too little happened in it to tell: how
// much that is depends on what else the machine has to do. A fail is a fail at once.
func passes(ts *testscript.TestScript, neg bool, args []string) {
	const longest = time.Minute
	if neg || len(args) < 1 {
		ts.Fatalf("usage: passes TIME ARG...")
	}
	duration, err := time.ParseDuration(args[0])
	ts.Check(err)
	for ; ; duration *= 2 {
		err := ts.Exec("holdfast", append([]string{"chaos", "--duration", duration.String()}, args[1:]...)...)
		if inconclusive := checkCode(err, "1") == nil; !inconclusive || duration > longest {
			ts.Check(checkCode(err, "0"))
			return
		}
	}
}

// checkCode compares how a process ended with the exit code it should have.
func checkCode(err error, want string) error {
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return err
	}
	if strconv.Itoa(code) != want {
		return fmt.Errorf("exit code %d, want %s", code, want)
	}
	return nil
}
