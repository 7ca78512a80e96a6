package kv

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// ErrNoStore is returned by Check when no store was completed in the
// directory, so that Open would create one.
var ErrNoStore = errors.New("there is no store")

// Verdict says what Open would do with a store as it is.
type Verdict string

const (
	// VerdictClean means that Open would find everything whole.
	VerdictClean Verdict = "clean"
	// VerdictTorn means that Open would cut a torn tail. A crash leaves one, of
	// writes that were not acknowledged; damage to the writes of the last second
	// before a crash looks the same, and cannot be told apart.
	VerdictTorn Verdict = "torn tail"
	// VerdictDamaged means that Open would refuse with an error that is
	// ErrDamaged.
	VerdictDamaged Verdict = "damaged"
	// VerdictFailed means that Open would fail with another error: a file that
	// cannot be read, or a format that is too new.
	VerdictFailed Verdict = "failed"
)

// maxListed is how many damages and how many keys a report names, at most.
// Beyond it they are counted.
const maxListed = 1000

// CheckReport is what Check found. It names keys, and never holds a value.
type CheckReport struct {
	// Store is the store's id in hexadecimal, empty if nothing says it.
	Store   string  `json:"store"`
	Verdict Verdict `json:"verdict"`
	// OpenError is what Open would return, empty if it would succeed.
	OpenError string `json:"openError,omitempty"`

	// CutBytes, CutFile and CutOffset are the torn tail, as in RecoveryReport.
	CutBytes  int64  `json:"cutBytes"`
	CutFile   string `json:"cutFile,omitempty"`
	CutOffset int64  `json:"cutOffset,omitempty"`

	Manifests []ManifestReport `json:"manifests"` // newest first
	Segments  []SegmentReport  `json:"segments"`  // in the order of their records

	// Keys is how many keys are there and Records how many records can be
	// read, in what is whole.
	Keys    int    `json:"keys"`
	Records uint64 `json:"records"`

	// Damages are in the order in which they were met, the first thousand of
	// DamagesTotal. Places that could not be read are among them, even where
	// the verdict is not VerdictDamaged.
	Damages      []Damage `json:"damages"`
	DamagesTotal int      `json:"damagesTotal"`

	// Touched are the keys whose newest record is known and unreadable, in key
	// order, the first thousand of TouchedTotal.
	Touched      []TouchedKey `json:"touched"`
	TouchedTotal int          `json:"touchedTotal"`

	// MissingRecords is how many records are gone together with the name of
	// their key. While it is not zero, any key may be missing from the report,
	// and a key that is there may hold an older value than was acknowledged:
	// MaybeOlder is how many have no record that is newer than all missing
	// ones. MissingUnknown says that there may be more than are counted.
	MissingRecords uint64 `json:"missingRecords"`
	MissingUnknown bool   `json:"missingUnknown"`
	MaybeOlder     int    `json:"maybeOlder"`

	// Notes are what else was met and does no harm, in words.
	Notes []string `json:"notes"`
}

// ManifestReport is one manifest file.
type ManifestReport struct {
	File       string `json:"file"`
	Generation uint64 `json:"generation"` // by the name
	State      string `json:"state"`      // in words
	Counts     bool   `json:"counts"`     // it is the one that says which segments there are
}

// SegmentReport is one segment file.
type SegmentReport struct {
	File     string `json:"file"`
	Kind     string `json:"kind"`     // log, copy, or unknown
	State    string `json:"state"`    // sealed, active, not listed, or missing
	Bytes    int64  `json:"bytes"`    // size of the file
	Records  uint64 `json:"records"`  // whole records that count
	FirstSeq uint64 `json:"firstSeq"` // of the records it should hold
	LastSeq  uint64 `json:"lastSeq"`  // the last that can be read; FirstSeq-1 for none
	Damages  int    `json:"damages"`  // places that are damaged
}

// Damage is one place that is not what was acknowledged.
type Damage struct {
	// File is the name of the file inside the store's directory, Offset where
	// in it the damage begins and Length how far it reaches, in bytes; Length
	// is zero where that is not known.
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	// FirstSeq and LastSeq bound the sequence numbers that may be lost. Both
	// are zero where no record is concerned or none is known; LastSeq alone is
	// zero where the end is not known.
	FirstSeq uint64 `json:"firstSeq"`
	LastSeq  uint64 `json:"lastSeq"`
	// Reason says what was found, in words.
	Reason string `json:"reason"`
}

// TouchedKey is a key whose newest record cannot be read.
type TouchedKey struct {
	// Key is the name as the record has it. The damage may be in the name
	// itself, unless OlderSeq shows that there is such a key.
	Key    []byte
	File   string
	Offset int64  // of the record, in bytes
	Seq    uint64 // of the record
	// OlderSeq is the sequence number of the newest record of the key that can
	// be read, zero if there is none.
	OlderSeq uint64
}

// MarshalJSON writes a key that is not UTF-8 in base64, as keyBase64.
func (k TouchedKey) MarshalJSON() ([]byte, error) {
	form := struct {
		Key       *string `json:"key,omitempty"`
		KeyBase64 []byte  `json:"keyBase64,omitempty"`
		File      string  `json:"file"`
		Offset    int64   `json:"offset"`
		Seq       uint64  `json:"seq"`
		OlderSeq  uint64  `json:"olderSeq"`
	}{File: k.File, Offset: k.Offset, Seq: k.Seq, OlderSeq: k.OlderSeq}
	if text := string(k.Key); utf8.ValidString(text) {
		form.Key = &text
	} else {
		form.KeyBase64 = k.Key
	}
	return json.Marshal(form)
}

func (r *CheckReport) damage(d Damage) {
	r.DamagesTotal++
	if len(r.Damages) < maxListed {
		r.Damages = append(r.Damages, d)
	}
}

// names reports whether a damage of file is in the report.
func (r *CheckReport) names(file string) bool {
	for i := range r.Damages {
		if r.Damages[i].File == file {
			return true
		}
	}
	return false
}
