// Command peer reads a debug=2 dump with gostackparse and prints how fast, as bench_parse does of our
// own parser: the best of five runs over a file in memory.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/DataDog/gostackparse"
)

func main() {
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	best, n := time.Hour, 0
	for range 5 {
		start := time.Now()
		goroutines, errs := gostackparse.Parse(bytes.NewReader(body))
		if took := time.Since(start); took < best {
			best = took
		}
		n = len(goroutines)
		if len(errs) > 0 {
			log.Fatal(errs[0])
		}
	}
	fmt.Printf("%-28s %6.2f GB/s  %7.1f ns a record (%d bytes, %d records)\n", "debug=2, gostackparse",
		float64(len(body))/best.Seconds()/1e9, float64(best.Nanoseconds())/float64(n), len(body), n)
}
