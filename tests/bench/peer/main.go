// Command peer reads a debug=2 dump with gostackparse and prints the nanoseconds it took, as bench_parse -r
// does of our own parser: the best of five runs over a file in memory, in processor time.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"syscall"

	"github.com/DataDog/gostackparse"
)

func used() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func main() {
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var best int64
	for range 5 {
		start := used()
		_, errs := gostackparse.Parse(bytes.NewReader(body))
		if took := used() - start; best == 0 || took < best {
			best = took
		}
		if len(errs) > 0 {
			log.Fatal(errs[0])
		}
	}
	fmt.Println(best)
}
