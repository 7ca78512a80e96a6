package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// record is a key, and what there is to say about it, as JSON. What is not UTF-8 has no form as a
// JSON string and appears in base64, under a name of its own.
type record struct {
	Key         *string `json:"key,omitempty"`
	KeyBase64   []byte  `json:"keyBase64,omitempty"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
	Exists      *bool   `json:"exists,omitempty"`
	Existed     *bool   `json:"existed,omitempty"`
}

// newRecord describes a key and, unless it is nil, a value.
func newRecord(key, value []byte) record {
	var r record
	r.Key, r.KeyBase64 = textOrBytes(key)
	if value != nil {
		r.Value, r.ValueBase64 = textOrBytes(value)
	}
	return r
}

func textOrBytes(b []byte) (*string, []byte) {
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// printJSON prints v on one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// reporter is what campaigns and benchmarks return.
type reporter interface {
	WriteJSON(w io.Writer) error
	WriteText(w io.Writer) error
}

func printReport(w io.Writer, r reporter, asJSON bool) error {
	write := r.WriteText
	if asJSON {
		write = r.WriteJSON
	}
	if err := write(w); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}
