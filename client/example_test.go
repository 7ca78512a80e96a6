package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"holdfast/client"
)

func Example() {
	c, err := client.New("127.0.0.1:65433", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := c.Set(ctx, []byte("name"), []byte("value")); err != nil {
		log.Fatal(err)
	}
	value, err := c.Get(ctx, []byte("name"))
	if errors.Is(err, client.ErrNotFound) {
		log.Fatal("somebody has deleted it")
	}
	fmt.Println(string(value), err)
}

// What to do about a write that did not return nil.
func ExampleOutcomeOf() {
	write := func(ctx context.Context, c *client.Client, key, value []byte) error {
		err := c.Set(ctx, key, value)
		switch client.OutcomeOf(err) {
		case client.OK:
			return nil // durable
		case client.Failed:
			return fmt.Errorf("not written, may be tried again: %w", err)
		default:
			return fmt.Errorf("read the key to see whether it was written: %w", err)
		}
	}
	_ = write
}

// Structured values travel as JSON.
func ExampleGetAs() {
	type profile struct {
		Name   string
		Groups []string
	}
	read := func(ctx context.Context, c *client.Client) (profile, error) {
		key := []byte("user/1")
		if err := c.SetJSON(ctx, key, profile{Name: "Ada", Groups: []string{"staff"}}); err != nil {
			return profile{}, err
		}
		return client.GetAs[profile](ctx, c, key)
	}
	_ = read
}

func ExampleClient_Scan() {
	list := func(ctx context.Context, c *client.Client) error {
		for pair, err := range c.Scan(ctx, client.ScanOptions{Prefix: []byte("user/"), Limit: 100}) {
			if err != nil {
				return err
			}
			fmt.Printf("%s = %s\n", pair.Key, pair.Value)
		}
		return nil
	}
	_ = list
}
