package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// coldCase is a form in which a command may be given, and what a gateway may add to its start.
type coldCase struct {
	name   string
	form   coldForm
	cycles int     // how often it is started
	must   float64 // for the median of what is beyond the start without us, in ms; 0: nothing is judged
	share  float64 // of the whole start, which may be added to must
}

type coldForm int

const (
	formList coldForm = iota
	formShell
	formSlow      // it listens after a while
	formNode      // an application of Node
	formContainer // of Docker, which a gateway starts and stops by name
)

var (
	coldQuick = coldCase{name: "list form", cycles: 20, must: 1.5}
	coldBasic = []coldCase{
		{name: "list form", cycles: coldCycles, must: 1.5},
		{name: "through a shell", form: formShell, cycles: coldCycles, must: 2.2},
		{name: "100 ms to listen", form: formSlow, cycles: coldCycles / 2, must: 1.5, share: 0.02},
		{name: coldNode, form: formNode, cycles: coldCycles / 3},
	}
	coldDocker = coldCase{name: "a container of Docker", form: formContainer, cycles: coldCycles / 7}
)

// coldNode is the case of which DynaPM publishes a figure.
const coldNode = "node app"

// nodeApp is as little as an application of Node is: ADDRESS PORT.
const nodeApp = `require('http').createServer((q, r) => r.end('ok')).listen(Number(process.argv[3]), process.argv[2]);
`

// coldAddresses are where the services of the cases listen, whoever starts them.
func coldAddresses(cases []coldCase) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	for range cases {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		all = append(all, address)
	}
	return all, nil
}

func coldName(at int) string { return fmt.Sprintf("cold%d", at) }
func coldHost(at int) string { return coldName(at) + ".bench.test" }

// prepareCold chooses addresses for the services, and makes what they need.
func (s *site) prepareCold(ctx context.Context, cases []coldCase) (err error) {
	s.coldCases = cases
	if s.cold, err = coldAddresses(cases); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "app.js"), []byte(nodeApp), 0o600); err != nil {
		return err
	}
	return s.makeContainers(ctx)
}

// coldCommand is the command of a case, in the form in which a config has it: a list, or one line for the shell.
func (s *site) coldCommand(at int) []string {
	address := s.cold[at]
	argv := []string{s.server, address.String()}
	switch s.coldCases[at].form {
	case formSlow:
		return append(argv, coldDelay.String())
	case formShell:
		return []string{"ulimit -c 0; exec " + strings.Join(argv, " ")}
	case formNode:
		node, _ := exec.LookPath("node") // or the case would not be there
		return []string{node, filepath.Join(s.dir, "app.js"), address.Addr().String(), fmt.Sprint(address.Port())}
	case formContainer:
		docker, _ := exec.LookPath("docker")
		return []string{docker, "start", s.container(at)}
	}
	return argv
}

// coldStop is the command that ends what a case has started, where it is not a process that can be told to end.
func (s *site) coldStop(at int) []string {
	docker, _ := exec.LookPath("docker")
	return []string{docker, "kill", s.container(at)}
}

// coldCheck is the command that tells whether a container runs.
func (s *site) coldCheck(at int) string {
	return fmt.Sprintf("%s inspect -f '{{.State.Running}}' %s | grep -q true", s.coldStop(at)[0], s.container(at))
}

// coldConf has the services of the cases for the engine.
func (s *site) coldConf() string {
	var text strings.Builder
	for at, c := range s.coldCases {
		command := s.coldCommand(at)
		run := fmt.Sprintf("run: %q", command[0])
		switch c.form {
		case formContainer:
			run = fmt.Sprintf("commands: {start: %q, stop: %q, check: %q}", strings.Join(command, " "),
				strings.Join(s.coldStop(at), " "), s.coldCheck(at))
		case formShell:
		default:
			run = fmt.Sprintf("run: [%s]", strings.ReplaceAll(strings.Trim(fmt.Sprintf("%q", command), "[]"), `" "`, `", "`))
		}
		fmt.Fprintf(&text, "  %s: {host: %s, %s, base: \"http://%s\", idleTimeout: 6h}\n", coldName(at), coldHost(at), run, s.cold[at])
	}
	return text.String()
}

// coldCasesHere are those that this machine can do, and why it cannot do the others.
func coldCasesHere(docker bool) (cases []coldCase, notes []string) {
	cases = slices.Clone(coldBasic)
	if _, err := exec.LookPath("node"); err != nil {
		cases = slices.DeleteFunc(cases, func(c coldCase) bool { return c.form == formNode })
		notes = append(notes, `"`+coldNode+`" was not measured: node is not installed (apt-get install nodejs)`)
	}
	if docker {
		cases = append(cases, coldDocker)
	}
	return cases, notes
}
