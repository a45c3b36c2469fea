package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// apartEnv tells a test that it runs in a network of its own.
const apartEnv = "RHOST_TEST_APART"

// wires are a network of this process's own: a switch here, and three namespaces,
// each on a cable to it. A namespace is there for as long as a process is in it, and
// the cable for as long as the namespace is; so nothing is left when the processes
// have ended, which they do when this one ends, however it does.
type wires struct {
	t       *testing.T
	holders [3]*exec.Cmd // processes that keep the namespaces of nodes
}

// ownNetwork runs the calling test again, in a process with a network of its own,
// where it gives the wires of three nodes. Where it returns ran, that has happened
// and the test is over. Where no network can be made, it says why and gives no
// wires.
func ownNetwork(t *testing.T) (w *wires, ran bool) {
	t.Helper()
	if os.Getenv(apartEnv) != "" {
		w = &wires{t: t}
		w.lay()
		return w, false
	}
	if err := networkable(); err != nil {
		t.Log("no network of namespaces can be made:", err)
		return nil, false
	}
	self, err := os.Executable()
	require.NoError(t, err)
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.count=1"}
	if end, ok := t.Deadline(); ok {
		args = append(args, fmt.Sprintf("-test.timeout=%v", time.Until(end)-5*time.Second))
	}
	cmd := apart(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), apartEnv+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		t.Log(lines.Text())
	}
	io.Copy(io.Discard, out) //nolint:errcheck // what is left after a line beyond all measure
	require.NoError(t, cmd.Wait(), "the test in its own network")
	return nil, true
}

// apart is a command in a network namespace of its own. It is killed when this
// process ends. Who is not root needs a user namespace for that, too.
func apart(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// networkable tries what lay does.
func networkable() error {
	for _, tool := range []string{"ip", "nsenter", "cat"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, kind := range []string{"veth", "bridge"} {
		if out, err := apart(ctx, "ip", "link", "add", "probe", "type", kind).CombinedOutput(); err != nil {
			return fmt.Errorf("ip link add type %s: %w: %s", kind, err, out)
		}
	}
	return nil
}

// lay makes the switch and the cables.
func (w *wires) lay() {
	w.t.Helper()
	w.ip4("link set lo up")
	w.ip4("link add switch type bridge")
	w.ip4("addr add " + w.ip(-1) + "/24 dev switch")
	w.ip4("link set switch up")
	for i := range w.holders {
		hold := apart(context.Background(), "cat") // until its input ends
		in, err := hold.StdinPipe()
		require.NoError(w.t, err)
		require.NoError(w.t, hold.Start())
		w.holders[i] = hold
		w.t.Cleanup(func() {
			in.Close()          //nolint:errcheck // it may have gone
			hold.Process.Kill() //nolint:errcheck // as above
			hold.Wait()         //nolint:errcheck // killed is what it is
		})
		w.ip4(fmt.Sprintf("link add %s type veth peer name eth0 netns %d", cable(i), hold.Process.Pid))
		w.ip4("link set " + cable(i) + " up")
		w.join(i)
		for _, args := range []string{"link set lo up", "addr add " + w.ip(i) + "/24 dev eth0", "link set eth0 up"} {
			w.run(w.command(i, append([]string{"ip"}, strings.Fields(args)...)...))
		}
	}
}

func cable(i int) string { return "cable-" + letter(i) }

// ip is the address of a node; of this process for -1.
func (w *wires) ip(node int) string { return fmt.Sprint("10.0.0.", 10+node) }

// command is one that runs at a node's end of the wires. It is killed when this
// process ends.
func (w *wires) command(node int, args ...string) *exec.Cmd {
	enter := []string{fmt.Sprintf("--net=/proc/%d/ns/net", w.holders[node].Process.Pid), "--"}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// cut pulls a node's cable out of the switch: what is sent either way goes nowhere,
// and nobody is told.
func (w *wires) cut(node int) { w.ip4("link set " + cable(node) + " nomaster") }

// join puts it back.
func (w *wires) join(node int) { w.ip4("link set " + cable(node) + " master switch") }

// ip4 runs ip(8) here.
func (w *wires) ip4(args string) {
	w.t.Helper()
	w.run(exec.Command("ip", strings.Fields(args)...))
}

func (w *wires) run(cmd *exec.Cmd) {
	w.t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "%s: %s", cmd, out)
}
