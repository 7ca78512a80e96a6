package cli

import (
	"bufio"
	"context"
	"fmt"

	"holdfast/client"
)

type keysCmd struct {
	remote
	encoding
	Prefix string `help:"Only keys that begin with it."`
	Start  string `help:"Only keys from this one on."`
	End    string `help:"Only keys before this one."`
	Limit  int    `help:"At most so many; 0: all."`
	JSON   bool   `help:"Print a JSON object for each key."`
}

// Help is shown below the summary.
func (keysCmd) Help() string {
	return "Keys are listed one to a line, in the order of their bytes, as they were at one moment. " +
		"A key may contain any byte, a newline too: --hex, --base64 and --json are safe from that."
}

// Run lists keys as they arrive.
func (cmd *keysCmd) Run(ctx context.Context, env *Env) error {
	o, err := cmd.options()
	if err != nil {
		return err
	}
	return cmd.with(func(c *client.Client) error {
		out := bufio.NewWriter(env.Stdout)
		for key, err := range c.Keys(ctx, o) {
			if err != nil {
				out.Flush() // what was read so far is true; the error is the one to report
				return err
			}
			if err := cmd.print(out, key); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

func (cmd *keysCmd) options() (o client.ScanOptions, err error) {
	if cmd.Limit < 0 {
		return o, usageError{fmt.Errorf("--limit is %d, must not be negative", cmd.Limit)}
	}
	o.Limit = cmd.Limit
	for _, bound := range []struct {
		flag, text string
		key        *[]byte
	}{{"--prefix", cmd.Prefix, &o.Prefix}, {"--start", cmd.Start, &o.Start}, {"--end", cmd.End, &o.End}} {
		if *bound.key, err = cmd.decode(bound.flag, bound.text); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (cmd *keysCmd) print(out *bufio.Writer, key []byte) error {
	if cmd.JSON {
		return printJSON(out, newRecord(key, nil))
	}
	_, err := fmt.Fprintln(out, cmd.encode(key))
	return err
}
