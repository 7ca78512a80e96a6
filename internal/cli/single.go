package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/afero"

	"holdfast/client"
)

type setCmd struct {
	remote
	encoding
	Key   string  `arg:"" help:"Key, 1 to 65,536 bytes."`
	Value *string `arg:"" optional:"" help:"Value; leave it out with --file."`
	File  string  `placeholder:"FILE" help:"Take the value from a file as it is, or with - from the standard input."`
}

// Run stores one value.
func (cmd *setCmd) Run(ctx context.Context, env *Env) error {
	key, err := cmd.decode("key", cmd.Key)
	if err != nil {
		return err
	}
	value, err := cmd.value(env)
	if err != nil {
		return err
	}
	return cmd.with(func(c *client.Client) error {
		if err := c.Set(ctx, key, value); err != nil {
			return err
		}
		_, err := fmt.Fprintln(env.Stdout, "OK")
		return err
	})
}

func (cmd *setCmd) value(env *Env) ([]byte, error) {
	switch {
	case (cmd.Value != nil) == (cmd.File != ""):
		return nil, usageError{errors.New("give either a VALUE or a --file to take it from")}
	case cmd.Value != nil:
		return cmd.decode("value", *cmd.Value)
	}
	value, err := readInput(env, cmd.File)
	if err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	return value, nil
}

// openInput opens a file by its name, or the standard input as "-".
func openInput(env *Env, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(env.Stdin), nil
	}
	return env.FS.Open(name)
}

func readInput(env *Env, name string) ([]byte, error) {
	if name != "-" {
		return afero.ReadFile(env.FS, name)
	}
	return io.ReadAll(env.Stdin)
}

type getCmd struct {
	remote
	encoding
	Key  string `arg:"" help:"Key to read."`
	JSON bool   `help:"Print a JSON object."`
}

// Run prints the value byte for byte. Only for somebody who looks at it is a newline added.
func (cmd *getCmd) Run(ctx context.Context, env *Env) error {
	key, err := cmd.decode("key", cmd.Key)
	if err != nil {
		return err
	}
	return cmd.with(func(c *client.Client) error {
		value, err := c.Get(ctx, key)
		if errors.Is(err, client.ErrNotFound) {
			return notFound(cmd.Key)
		}
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.Stdout, newRecord(key, value))
		}
		newline := ""
		if cmd.text() || env.IsTerminal(env.Stdout) {
			newline = "\n"
		}
		_, err = io.WriteString(env.Stdout, cmd.encode(value)+newline)
		return err
	})
}

type deleteCmd struct {
	remote
	encoding
	Key  string `arg:"" help:"Key to remove."`
	JSON bool   `help:"Print a JSON object."`
}

// Run removes a key. A key that was not there is reported like any other that is not found.
func (cmd *deleteCmd) Run(ctx context.Context, env *Env) error {
	key, err := cmd.decode("key", cmd.Key)
	if err != nil {
		return err
	}
	return cmd.with(func(c *client.Client) error {
		existed, err := c.Delete(ctx, key)
		if err != nil {
			return err
		}
		r := newRecord(key, nil)
		r.Existed = &existed
		return report(env, cmd.JSON, r, "deleted", existed, cmd.Key)
	})
}

type existsCmd struct {
	remote
	encoding
	Key  string `arg:"" help:"Key to look for."`
	JSON bool   `help:"Print a JSON object."`
}

// Run exits 0 when the key is there and 1 when it is not.
func (cmd *existsCmd) Run(ctx context.Context, env *Env) error {
	key, err := cmd.decode("key", cmd.Key)
	if err != nil {
		return err
	}
	return cmd.with(func(c *client.Client) error {
		exists, err := c.Exists(ctx, key)
		if err != nil {
			return err
		}
		r := newRecord(key, nil)
		r.Exists = &exists
		return report(env, cmd.JSON, r, "exists", exists, cmd.Key)
	})
}

// report prints what became of a key, as JSON or as a word if it was there. That it was not is an
// error either way.
func report(env *Env, asJSON bool, r record, word string, there bool, key string) error {
	var err error
	switch {
	case asJSON:
		err = printJSON(env.Stdout, r)
	case there:
		_, err = fmt.Fprintln(env.Stdout, word)
	}
	if err == nil && !there {
		return notFound(key)
	}
	return err
}
