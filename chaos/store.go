package chaos

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"holdfast/client"
)

// store is the part of [client.Client] that a campaign uses.
type store interface {
	Set(ctx context.Context, key, value []byte) error
	Get(ctx context.Context, key []byte) ([]byte, error)
	Delete(ctx context.Context, key []byte) (existed bool, err error)
	BulkSet(ctx context.Context, pairs []client.Pair) error
	Keys(ctx context.Context, o client.ScanOptions) iter.Seq2[[]byte, error]
}

// callTimeout bounds each call. A write that takes longer counts as unknown, a read as failed.
const callTimeout = 10 * time.Second

// dial returns a client that all writers and readers of one cycle share. It connects when it is
// first used.
func dial(addr string) (*client.Client, error) {
	c, err := client.New(addr, &client.Options{Timeout: callTimeout})
	if err != nil {
		return nil, fmt.Errorf("address %q of the server: %w", addr, err)
	}
	return c, nil
}

// endingOf translates the outcome of a write.
func endingOf(err error) ending {
	switch client.OutcomeOf(err) {
	case client.OK:
		return ok
	case client.Failed:
		return failed
	default:
		return unknown
	}
}

// look reads the key of want and says what is there. The error means that there was no answer, or
// one that says nothing about the key; a server that answers with a damaged record or an unreadable
// one has answered.
func look(ctx context.Context, st store, want valueID) (sighting, error) {
	value, err := st.Get(ctx, keyName(int(want.key)))
	switch {
	case err == nil:
		return inspect(value, want), nil
	case errors.Is(err, client.ErrNotFound):
		return sighting{kind: sawAbsent}, nil
	case errors.Is(err, client.ErrDamaged), errors.Is(err, client.ErrReadFailed):
		return sighting{kind: sawDamaged, detail: err.Error(), refusal: err}, nil
	default:
		return sighting{}, err
	}
}

// answered reports whether err is a refusal by the server, as opposed to silence.
func answered(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Status != 0
}
