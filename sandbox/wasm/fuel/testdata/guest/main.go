// Command guest is a Go guest that the tests and benchmarks of the fuel pass
// run: a reactor whose exports do work of different kinds.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func main() {}

//go:wasmexport sha
func sha(rounds int32) int32 {
	buf := bytes.Repeat([]byte("rhost"), 200)
	for range rounds {
		sum := sha256.Sum256(buf)
		copy(buf, sum[:])
	}
	return int32(binary.LittleEndian.Uint32(buf))
}

type order struct {
	ID    string            `json:"id"`
	Lines []line            `json:"lines"`
	Tags  map[string]string `json:"tags"`
	Total float64           `json:"total"`
}

type line struct {
	SKU   string  `json:"sku"`
	Count int     `json:"count"`
	Price float64 `json:"price"`
}

//go:wasmexport js
func js(rounds int32) int32 {
	o := order{ID: "o-1", Tags: map[string]string{"region": "eu", "tier": "gold"}}
	for i := range 20 {
		o.Lines = append(o.Lines, line{SKU: fmt.Sprint("sku-", i), Count: i, Price: float64(i) * 1.25})
	}
	n := 0
	for range rounds {
		text, err := json.Marshal(o)
		if err != nil {
			return -1
		}
		var back order
		if err := json.Unmarshal(text, &back); err != nil {
			return -2
		}
		n += len(text) + len(back.Lines)
	}
	return int32(n)
}

//go:wasmexport sorted
func sorted(n int32) int32 {
	list := make([]int32, n)
	seed := uint32(12345)
	for i := range list {
		seed = seed*1664525 + 1013904223
		list[i] = int32(seed >> 8)
	}
	slices.Sort(list)
	return list[n/2]
}

//go:wasmexport words
func words(rounds int32) int32 {
	re := regexp.MustCompile(`(\w+)@(\w+)\.com`)
	text := strings.Repeat("mail alice@example.com and bob@test.com; ", 10)
	n := 0
	for range rounds {
		n += len(re.FindAllString(strings.ToUpper(text[:8])+text, -1))
	}
	return int32(n)
}

//go:wasmexport deep
func deep(n int32) int32 {
	if n == 0 {
		return 0
	}
	return deep(n-1) + 1
}

//go:wasmexport spin
func spin() {
	for n := 0; ; n++ {
		sink = n
	}
}

var sink int

//go:wasmexport grab
func grab(megabytes int32) int32 {
	kept = nil
	for range megabytes {
		kept = append(kept, make([]byte, 1<<20))
	}
	return int32(len(kept))
}

var kept [][]byte
