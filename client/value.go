package client

import (
	"context"
	"encoding/json"
	"fmt"

	"holdfast/internal/wire"
)

// SetJSON stores v under key as JSON, as encoding/json encodes it. A v that cannot be encoded is a
// Failed write.
func (c *Client) SetJSON(ctx context.Context, key []byte, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return newError(wire.OpSet, c.addr, Failed, fmt.Errorf("encoding the value: %w", err))
	}
	return c.Set(ctx, key, value)
}

// GetJSON reads the JSON under key into v, a pointer, as encoding/json decodes it. A missing key is
// ErrNotFound and leaves v alone.
func (c *Client) GetJSON(ctx context.Context, key []byte, v any) error {
	value, err := c.Get(ctx, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(value, v); err != nil {
		return newError(wire.OpGet, c.addr, Failed, fmt.Errorf("decoding the value into %T: %w", v, err))
	}
	return nil
}

// GetAs returns the JSON under key as a T. The T beside an error is the zero value.
func GetAs[T any](ctx context.Context, c *Client, key []byte) (T, error) {
	var v, zero T
	if err := c.GetJSON(ctx, key, &v); err != nil {
		return zero, err
	}
	return v, nil
}
