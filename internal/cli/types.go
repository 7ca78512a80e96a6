package cli

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// exactString takes an argument as it is. Kong's own mapper goes by way of JSON, which replaces every
// byte that is not UTF-8; keys and values may contain any.
func exactString(k *kong.DecodeContext, target reflect.Value) error {
	t, err := k.Scan.PopValue("string")
	if err == nil {
		target.SetString(t.String())
	}
	return err
}

// byteSize is a number of bytes, written plainly or with KiB, MiB or GiB.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

// UnmarshalText reads "65536", "64KiB", "10MiB" or "1GiB".
func (b *byteSize) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size such as 65536, 64KiB or 10MiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}

// encoding says how keys and values that need not be text are written on the command line and in
// the output.
type encoding struct {
	Base64 bool `name:"base64" xor:"encoding" help:"Keys and values are given and printed in base64."`
	Hex    bool `xor:"encoding" help:"Keys and values are given and printed in hexadecimal."`
}

func (e encoding) decode(what, s string) ([]byte, error) {
	var b []byte
	var err error
	switch {
	case e.Base64:
		b, err = base64.StdEncoding.DecodeString(s)
	case e.Hex:
		b, err = hex.DecodeString(s)
	default:
		b = []byte(s)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", what, err)}
	}
	return b, nil
}

func (e encoding) encode(b []byte) string {
	switch {
	case e.Base64:
		return base64.StdEncoding.EncodeToString(b)
	case e.Hex:
		return hex.EncodeToString(b)
	default:
		return string(b)
	}
}

// text reports whether the output is text whatever the data.
func (e encoding) text() bool { return e.Base64 || e.Hex }
