package kv_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/spf13/afero"

	"holdfast/kv"
)

// A nil error of Set means that the value is on disk.
func Example() {
	db, err := kv.Open(afero.NewMemMapFs(), "data", nil) // afero.NewOsFs() for a real disk
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	if err := db.Set([]byte("greeting"), []byte("hello")); err != nil {
		log.Fatal(err)
	}
	value, err := db.Get([]byte("greeting"))
	fmt.Printf("%s %v\n", value, err)

	_, err = db.Get([]byte("nothing"))
	fmt.Println(errors.Is(err, kv.ErrNotFound))
	// Output:
	// hello <nil>
	// true
}

// All writes of a batch are there after a crash, or none.
func ExampleDB_Apply() {
	db, err := kv.Open(afero.NewMemMapFs(), "data", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	var transfer kv.Batch
	transfer.Set([]byte("account/alice"), []byte("70"))
	transfer.Set([]byte("account/bob"), []byte("130"))
	transfer.Delete([]byte("pending/1"))
	if err := db.Apply(&transfer); err != nil {
		log.Fatal(err)
	}
	for pair, err := range db.Scan(kv.ScanOptions{Prefix: []byte("account/")}) {
		fmt.Printf("%s = %s %v\n", pair.Key, pair.Value, err)
	}
	// Output:
	// account/alice = 70 <nil>
	// account/bob = 130 <nil>
}
