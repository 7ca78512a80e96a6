package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"holdfast/kv"
	"holdfast/server"
)

type serveCmd struct {
	Data string        `required:"" placeholder:"DIR" help:"Directory of the data; created if need be."`
	Addr string        `default:"127.0.0.1:65433" help:"Where to listen; port 0 is any free port. There is no authentication: think twice before you leave localhost."`
	Sync kv.SyncPolicy `default:"always" help:"When a write is OK: always means once it is on disk; an interval such as 100ms means at once, with the disk following, and a crash may lose that much."`

	MaxFrame     byteSize      `default:"10MiB" help:"Largest request and reply, 256KiB or more."`
	MaxConns     int           `default:"1024" help:"Most connections at a time."`
	MaxMemory    byteSize      `default:"512MiB" help:"Most memory for requests and replies under way."`
	SegmentSize  byteSize      `default:"64MiB" help:"Size at which a data file is full."`
	DrainTimeout time.Duration `default:"10s" help:"Longest time to finish what is under way when told to stop."`

	LogLevel  slog.Level `default:"info" help:"Least important messages to log: debug, info, warn or error."`
	LogFormat string     `enum:"auto,text,json" default:"auto" help:"Format of the log: text, json, or auto, which is text on a terminal and json elsewhere."`

	testingFlags
}

// Help is shown below the summary.
func (serveCmd) Help() string {
	return "The log goes to the standard error. The server takes requests once it logs \"serving\" with its address. " +
		"SIGTERM and SIGINT make it finish what is under way and stop; a second one stops it at once, which loses nothing that was OK."
}

// Run serves until ctx is done.
func (cmd *serveCmd) Run(ctx context.Context, env *Env) error {
	if cmd.MaxConns < 1 {
		return usageError{fmt.Errorf("--max-conns is %d, must be at least 1", cmd.MaxConns)}
	}
	if cmd.DrainTimeout <= 0 {
		return usageError{fmt.Errorf("--drain-timeout is %v, must be above zero", cmd.DrainTimeout)}
	}
	if err := cmd.check(); err != nil {
		return err
	}
	terminal := env.IsTerminal(env.Stderr)
	// Warnings about lost data are not for --log-level to hide.
	loud := slog.New(cmd.handler(env.Stderr, terminal, min(cmd.LogLevel, slog.LevelWarn)))
	disk, closeDisk, err := cmd.disk(env, loud)
	if err != nil {
		return err
	}
	logger := slog.New(cmd.handler(env.Stderr, terminal, cmd.LogLevel))
	err = cmd.explain(server.Run(ctx, disk, cmd.config(logger)))
	return errors.Join(err, closeDisk(err))
}

func (cmd *serveCmd) config(logger *slog.Logger) server.RunConfig {
	return server.RunConfig{
		Addr: cmd.Addr,
		Dir:  cmd.Data,
		KV:   kv.Options{Sync: cmd.Sync, SegmentBytes: int64(cmd.SegmentSize)},
		Server: server.Config{
			MaxFrameBytes: int(cmd.MaxFrame), MaxConns: cmd.MaxConns, MaxInFlightBytes: int64(cmd.MaxMemory),
			DrainTimeout: cmd.DrainTimeout, Logger: logger,
		},
	}
}

// handler is where the log goes, in the format that was asked for.
func (cmd *serveCmd) handler(w io.Writer, terminal bool, level slog.Level) slog.Handler {
	o := &slog.HandlerOptions{Level: level}
	if cmd.LogFormat == "text" || cmd.LogFormat == "auto" && terminal {
		return slog.NewTextHandler(w, o)
	}
	return slog.NewJSONHandler(w, o)
}

// explain adds to the errors that a newcomer meets first which flag they are about.
func (cmd *serveCmd) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, server.ErrInvalidConfig), errors.Is(err, kv.ErrInvalidOptions):
		return usageError{err}
	case errors.Is(err, kv.ErrLocked):
		return fmt.Errorf("data directory %s is in use by another server: %w", cmd.Data, err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("address %s is taken: %w", cmd.Addr, err)
	default:
		return err
	}
}
