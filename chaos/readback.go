package chaos

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/client"
)

const (
	// readBackReaders is how many reads of a read-back are in flight at once.
	readBackReaders = 64
	// readBackTries is how often a read-back asks for a key before it takes no for an answer.
	readBackTries = 8
	// readBackPause is waited before the second try, twice that before the third, and so on: a server
	// that is only busy has a second and a half to get over it.
	readBackPause = 50 * time.Millisecond
)

// readBack reads every key of the ledger, and lists all keys that there are. It returns what it saw
// by key, and the names of the keys that are none of the ledger's. The error means that some question
// was not answered: nothing can be said then.
func readBack(ctx context.Context, st store, l *ledger) (saw []sighting, extra []string, err error) {
	saw = make([]sighting, l.keys)
	var next atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for range min(readBackReaders, l.keys) {
		group.Go(func() error {
			for key := int(next.Add(1)) - 1; key < l.keys; key = int(next.Add(1)) - 1 {
				var err error
				if saw[key], err = insist(groupCtx, st, l.id(member{key: key})); err != nil {
					return fmt.Errorf("read key %s back: %w", keyName(key), err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	extra, err = strangers(ctx, st, l.keys)
	return saw, extra, err
}

// strangers lists the keys that the store holds and no writer ever wrote.
func strangers(ctx context.Context, st store, keys int) (names []string, err error) {
	for name, err := range st.Keys(ctx, client.ScanOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("list the keys: %w", err)
		}
		if !isKeyName(name, keys) {
			names = append(names, string(name))
		}
	}
	return names, nil
}

// insist looks at a key several times if need be. A server that keeps refusing to show it has lost it
// as far as its users are concerned: that is damage. Silence is an error.
func insist(ctx context.Context, st store, want valueID) (saw sighting, err error) {
	for try := range readBackTries {
		select {
		case <-ctx.Done():
			return sighting{}, context.Cause(ctx)
		case <-time.After(time.Duration(try) * readBackPause):
		}
		if saw, err = look(ctx, st, want); err == nil {
			return saw, nil
		}
	}
	if answered(err) {
		return sighting{kind: sawDamaged, detail: err.Error(), refusal: err}, nil
	}
	return sighting{}, err
}
