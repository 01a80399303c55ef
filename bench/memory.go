package main

import (
	"context"
	"fmt"
)

// memoryScenario: what a gateway takes by being there, with one service and with a hundred, each of which has been asked
// for. What 10,000 connections take is in the idle scenario. Services of the engine are processes of their own, and none
// of what it takes.
var memoryScenario = scenario{
	name:    "memory",
	title:   "memory of a gateway with nothing to do",
	terms:   terms{files: fewFiles},
	alone:   true,
	rounds:  3,
	columns: []metric{{"MB resident", residentMB, "%.1f", less}, {"MB of its own", ownMB, "%.1f", less}},
	takes:   func(c contender) bool { return c.kind != kindDirect && c.kind != kindOther || c.name == besideName },
	apart:   "they have one backend, and no hosts",
	measure: measureMemory,
	judge:   func(*Scenario) {},
}

// memoryServices are how many there are in each case.
var memoryServices = []int{1, 100}

// fewFiles are those that gateways with little to do are set up for: nginx takes memory in advance for all connections
// that it may have.
const fewFiles = 4096

const memoryAsks = 10 // each service is asked for as often

func measureMemory(ctx context.Context, b *bench) error {
	for _, n := range memoryServices {
		b.terms.services = n
		err := b.eachRound(ctx, []string{plural(n, "service")}, func(_ int, r running) (Sample, error) {
			return askAll(ctx, r, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// askAll asks for each service, and looks at the memory.
func askAll(ctx context.Context, r running, services int) (Sample, error) {
	sample := Sample{Work: float64(services)}
	for at := range services {
		o, err := closedLoop(ctx, r, requestTo(serviceHost(at)), 1, memoryAsks, false)
		if err != nil {
			return sample, err
		}
		sample.Errors = merged(sample.Errors, o.Errors)
	}
	pids, err := family(r.cmd.Process.Pid)
	if err != nil {
		return sample, err
	}
	if pids, err = gatewayOnly(pids); err != nil {
		return sample, err
	}
	m, err := memoryOf(pids)
	sample.Resident, sample.Own = m.resident, m.own
	return sample, err
}

// serviceHost is the host of a service; the first one is that of all other scenarios.
func serviceHost(at int) string {
	if at == 0 {
		return "bench.test"
	}
	return fmt.Sprintf("s%d.bench.test", at)
}

// hosts are those of all services.
func (t terms) hosts() []string {
	all := make([]string, max(1, t.services))
	for at := range all {
		all[at] = serviceHost(at)
	}
	return all
}
