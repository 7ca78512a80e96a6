package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/afero"

	"holdfast/kv"
)

// DefaultAddr is where a server listens unless told otherwise: this machine only.
const DefaultAddr = "127.0.0.1:65433"

// RunConfig says what Run serves and where.
type RunConfig struct {
	Addr   string     // host:port; empty: DefaultAddr; port 0: any free port
	Dir    string     // the directory of the store
	KV     kv.Options // a nil Logger becomes that of Server
	Server Config

	// Ready is called, if it is not nil, once connections are accepted.
	Ready func(addr net.Addr)
}

// Run opens the store in cfg.Dir on fsys, serves it on cfg.Addr until ctx is done, drains and closes
// the store. It returns nil after a clean end.
//
// The store is opened before the port, so nobody can connect to a server that is not ready, and a
// second server with the same configuration learns first that the directory is taken: errors.Is
// tells kv.ErrLocked, the other errors of kv.Open, ErrInvalidConfig, and for a port that is taken the
// system's own error, a *net.OpError.
//
// It logs "recovering", "recovered" and "serving" with their figures.
func Run(ctx context.Context, fsys afero.Fs, cfg RunConfig) (err error) {
	if cfg.Addr == "" {
		cfg.Addr = DefaultAddr
	}
	var conf Config
	if conf, err = cfg.Server.withDefaults(); err != nil {
		return err
	}
	if cfg.KV.Logger == nil {
		cfg.KV.Logger = conf.Logger
	}
	db, err := open(fsys, cfg, conf.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(db, conf.Logger)) }()
	s, err := New(db, conf)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", cfg.Addr, err)
	}
	conf.Logger.Info("serving", "addr", ln.Addr().String(), "sync", cfg.KV.Sync.String())
	if cfg.Ready != nil {
		cfg.Ready(ln.Addr())
	}
	return s.Serve(ctx, ln)
}

func open(fsys afero.Fs, cfg RunConfig, log *slog.Logger) (*kv.DB, error) {
	log.Info("recovering", "dir", cfg.Dir)
	start := time.Now()
	db, err := kv.Open(fsys, cfg.Dir, &cfg.KV)
	if err != nil {
		return nil, err
	}
	found := db.Stats().Recovery
	log.Info("recovered", "millis", time.Since(start).Milliseconds(), "records", found.Records,
		"keys", found.Keys, "segments", found.Segments, "cutBytes", found.CutBytes)
	return db, nil
}

func closeStore(db *kv.DB, log *slog.Logger) error {
	err := db.Close()
	if err == nil {
		log.Info("closed")
	}
	return err
}
