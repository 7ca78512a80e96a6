package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"holdfast/client"
)

type bulkSetCmd struct {
	remote
	File   string `arg:"" default:"-" help:"File with the pairs; - is the standard input."`
	Format string `enum:"object,lines" default:"object" help:"What the input is: one JSON object, or one JSON object per pair."`
	Batch  int    `placeholder:"N" help:"Store N pairs at a time, each N of them all or none; 0: all pairs at once."`
	JSON   bool   `help:"Print a JSON object."`
}

// Help is shown below the summary.
func (bulkSetCmd) Help() string {
	return `Format "object" is {"key": value, ...}. Format "lines" is {"key": "...", "value": ...} again and again; ` +
		`keyBase64 and valueBase64 hold what is not text. A value that is a string is stored as its text, ` +
		`any other as its JSON. All pairs are stored as one atomic unit, which must fit --max-frame; with --batch, ` +
		`an error leaves the batches before it stored, and says how many they are.`
}

// bulkResult is what bulk-set reports.
type bulkResult struct {
	Pairs   int   `json:"pairs"`
	Batches int   `json:"batches"`
	Bytes   int64 `json:"bytes"` // of keys and values
}

// Run reads pairs and stores them.
func (cmd *bulkSetCmd) Run(ctx context.Context, env *Env) error {
	if cmd.Batch < 0 {
		return usageError{fmt.Errorf("--batch is %d, must not be negative", cmd.Batch)}
	}
	in, err := openInput(env, cmd.File)
	if err != nil {
		return err
	}
	defer in.Close()
	return cmd.with(func(c *client.Client) error {
		b := bulk{ctx: ctx, client: c, limit: cmd.Batch, maxBytes: int64(cmd.MaxFrame)}
		if err := b.store(readPairs(in, cmd.Format)); err != nil {
			if b.done.Batches > 0 {
				return fmt.Errorf("after %d pairs in %d batches were stored: %w", b.done.Pairs, b.done.Batches, err)
			}
			return err
		}
		if cmd.JSON {
			return printJSON(env.Stdout, b.done)
		}
		_, err := fmt.Fprintf(env.Stdout, "OK, %d pairs\n", b.done.Pairs)
		return err
	})
}

// bulk gathers pairs into batches and stores them.
type bulk struct {
	ctx      context.Context
	client   *client.Client
	limit    int   // pairs per batch; 0: one batch
	maxBytes int64 // a batch beyond it cannot be sent, so there is no use in reading on

	pairs []client.Pair
	bytes int64
	done  bulkResult
}

func (b *bulk) store(pairs iter.Seq2[client.Pair, error]) error {
	for p, err := range pairs {
		if err != nil {
			return err
		}
		b.pairs = append(b.pairs, p)
		b.bytes += int64(len(p.Key) + len(p.Value))
		if b.bytes > b.maxBytes {
			return fmt.Errorf("%w: the first %d pairs of a batch alone have %d bytes, the limit is %d (see --batch and --max-frame)",
				client.ErrFrameTooLarge, len(b.pairs), b.bytes, b.maxBytes)
		}
		if len(b.pairs) == b.limit {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return b.flush()
}

func (b *bulk) flush() error {
	if len(b.pairs) == 0 {
		return nil
	}
	if err := b.client.BulkSet(b.ctx, b.pairs); err != nil {
		return err
	}
	b.done.Pairs += len(b.pairs)
	b.done.Bytes += b.bytes
	b.done.Batches++
	b.pairs, b.bytes = b.pairs[:0], 0
	return nil
}

// readPairs parses the input of bulk-set. An error is the last thing it yields.
func readPairs(in io.Reader, format string) iter.Seq2[client.Pair, error] {
	next := nextOfObject
	if format == "lines" {
		next = nextLine
	}
	return func(yield func(client.Pair, error) bool) {
		d := json.NewDecoder(in)
		for n := 1; ; n++ {
			p, err := next(d, n)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = fmt.Errorf("input, pair %d: %w", n, err)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// nextOfObject reads the n-th member of a JSON object; io.EOF after the last.
func nextOfObject(d *json.Decoder, n int) (p client.Pair, err error) {
	if n == 1 {
		switch t, err := d.Token(); {
		case err != nil:
			return p, unexpectedEnd(err)
		case t != json.Delim('{'):
			return p, fmt.Errorf("a JSON object is expected, not %v", t)
		}
	}
	t, err := d.Token()
	if err != nil {
		return p, unexpectedEnd(err)
	}
	if t == json.Delim('}') {
		if t, err := d.Token(); !errors.Is(err, io.EOF) {
			return p, fmt.Errorf("%v follows the JSON object", t)
		}
		return p, io.EOF
	}
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return p, unexpectedEnd(err)
	}
	p.Key = []byte(t.(string)) // the decoder sees to it that only strings are keys
	p.Value, err = valueBytes(value)
	return p, err
}

// unexpectedEnd keeps an input that ends too early from passing for one that is complete.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nextLine reads one object of a key and a value; io.EOF after the last.
func nextLine(d *json.Decoder, _ int) (p client.Pair, err error) {
	d.DisallowUnknownFields()
	var line struct {
		Key         *string         `json:"key"`
		KeyBase64   []byte          `json:"keyBase64"`
		Value       json.RawMessage `json:"value"`
		ValueBase64 []byte          `json:"valueBase64"`
	}
	if err := d.Decode(&line); err != nil {
		return p, err
	}
	if (line.Key == nil) == (line.KeyBase64 == nil) || (line.Value == nil) == (line.ValueBase64 == nil) {
		return p, errors.New("one of key and keyBase64, and one of value and valueBase64, is expected")
	}
	p = client.Pair{Key: line.KeyBase64, Value: line.ValueBase64}
	if line.Key != nil {
		p.Key = []byte(*line.Key)
	}
	if line.Value != nil {
		p.Value, err = valueBytes(line.Value)
	}
	return p, err
}

// valueBytes is a JSON string as its text, and any other JSON as it stands.
func valueBytes(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return raw, nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err
}
