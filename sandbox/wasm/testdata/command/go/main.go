// Command command is an ordinary Go program that does what its first argument says.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// calls counts what no call may find other than 0.
var calls int

func main() {
	what := "echo"
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	switch what {
	case "echo":
		check(io.Copy(os.Stdout, os.Stdin))
	case "lines":
		n := 0
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			n++
		}
		fmt.Println(n)
	case "user":
		var ev struct{ Data struct{ User string } }
		check(nil, json.NewDecoder(os.Stdin).Decode(&ev))
		fmt.Println("seen", ev.Data.User)
	case "around":
		check(nil, json.NewEncoder(os.Stdout).Encode(map[string]any{"args": os.Args, "env": os.Environ()}))
	case "exit":
		code, err := strconv.Atoi(os.Args[2])
		check(nil, err)
		fmt.Fprintln(os.Stderr, strings.Join(os.Args[3:], " "))
		fmt.Println(`{"half": "done"}`)
		os.Exit(code)
	case "panic":
		panic("no such user")
	case "leak":
		calls++
		fmt.Println(calls)
	case "file":
		_, err := os.ReadFile("/etc/passwd")
		fmt.Println(err != nil)
	case "network":
		_, err := net.Dial("tcp", "192.0.2.1:80")
		fmt.Println(err != nil)
	case "memory":
		for keep := [][]byte(nil); ; {
			keep = append(keep, make([]byte, 1<<20))
		}
	case "sleep":
		start := time.Now()
		time.Sleep(time.Hour)
		fmt.Println(time.Since(start) >= time.Hour)
	case "stat":
		info, err := os.Stdin.Stat()
		check(nil, err)
		fmt.Println(info.Mode()&os.ModeCharDevice != 0)
	}
}

func check(_ any, err error) {
	if err != nil {
		panic(err)
	}
}
