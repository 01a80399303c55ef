package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// zipfExponent is about what popularity on the web has: of a hundred hosts the first gets a fifth of the requests, and
// the last one of a thousand, so that some services are always up and others sleep and wake.
const zipfExponent = 1.1

// mixed asks many hosts behind one address at a constant rate, some far more often than others.
func (r *run) mixed(ctx context.Context) error {
	var hosts [2][]*target
	var asked [2][]int
	var before [2]int
	err := r.measure(ctx, true, func(ctx context.Context, n int) (*measured, error) {
		var err error
		if hosts[n], err = r.hostTargets(ctx, n); err != nil {
			return nil, err
		}
		if before[n], err = r.starts(ctx, n, hosts[n]); err != nil {
			return nil, err
		}
		asked[n] = make([]int, len(hosts[n]))
		gen, err := r.generator(hosts[n][0], r.clients, popular(hosts[n], asked[n]))
		return &measured{target: hosts[n][0], gen: gen}, err
	})
	for n := range r.report.Results {
		result := &r.report.Results[n]
		result.Host = r.hosts
		result.BodyChecked = !slices.ContainsFunc(hosts[n], func(t *target) bool { return t.expect == nil })
		whose := ""
		if r.compare != "" {
			whose = result.URL + ": "
		}
		r.tellMix(whose, asked[n])
		if one(r.admin, n) != "" {
			after, failed := r.starts(context.WithoutCancel(ctx), n, hosts[n])
			if failed != nil {
				return errors.Join(err, failed)
			}
			r.note("%s%d starts while it ran", whose, after-before[n])
		}
	}
	return err
}

// popular chooses among hosts, and counts what it chose. Its seed is fixed: two runs ask the same hosts in the same
// order.
func popular(hosts []*target, asked []int) func() *target {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), zipfExponent, 1, uint64(len(hosts)-1))
	return func() *target {
		n := zipf.Uint64()
		asked[n]++
		return hosts[n]
	}
}

// tellMix says how the requests were spread.
func (r *run) tellMix(whose string, asked []int) {
	sum, most, some := 0, 0, 0
	for _, n := range asked {
		sum, most = sum+n, max(most, n)
		if n > 0 {
			some++
		}
	}
	r.note("%s%d of %d hosts were asked, the most popular %d times of %d", whose, some, len(asked), most, sum)
}

// hostTargets are the hosts, each with what it answers: so all of them are woken once before anything is measured.
func (r *run) hostTargets(ctx context.Context, n int) ([]*target, error) {
	names, err := expandHosts(r.hosts)
	if err != nil {
		return nil, err
	}
	base, err := r.target(n)
	if err != nil {
		return nil, err
	}
	var out []*target
	for i, name := range names {
		t := base.at(name)
		if err := r.learn(ctx, t); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, t)
		r.progress.step("host", i+1, int64(len(names)))
	}
	return out, nil
}

// starts is how often the services behind the hosts were started, ever; 0 without an admin API.
func (r *run) starts(ctx context.Context, n int, hosts []*target) (int, error) {
	sum := 0
	if one(r.admin, n) == "" {
		return 0, nil
	}
	for _, t := range hosts {
		admin, err := r.gateway(t, n)
		if err != nil {
			return 0, err
		}
		s, err := admin.inspect(ctx)
		if err != nil {
			return 0, err
		}
		sum += s.StartCount
	}
	return sum, nil
}

var hostRange = regexp.MustCompile(`^([^{}]*)\{(\d{1,6})\.\.(\d{1,6})\}([^{}]*)$`)

// expandHosts reads a list such as a.localhost,s{1..200}.localhost.
func expandHosts(list string) ([]string, error) {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		m := hostRange.FindStringSubmatch(item)
		if m == nil {
			if item == "" || strings.ContainsAny(item, "{} \r\n") {
				return nil, fmt.Errorf("%q is not a host, nor a range of hosts such as s{1..200}.localhost", item)
			}
			out = append(out, item)
			continue
		}
		from, _ := strconv.Atoi(m[2]) // digits, and few of them
		to, _ := strconv.Atoi(m[3])
		if from > to {
			return nil, fmt.Errorf("the range of %q is empty", item)
		}
		for n := from; n <= to; n++ {
			out = append(out, m[1]+strconv.Itoa(n)+m[4])
		}
	}
	if len(out) < 2 {
		return nil, errors.New("-hosts must name at least two hosts")
	}
	return out, nil
}

// soak is a constant rate for hours; its question is whether the end is as the beginning was.
func (r *run) soak(ctx context.Context) error {
	err := r.measure(ctx, true, r.prepare)
	for n, result := range r.report.Results {
		how := "last quarter by first"
		if len(r.report.Results) > 1 {
			how += []string{" of -url", " of -compare"}[n]
		}
		quarter := len(result.Series) / 4
		first, last := result.Series[:quarter], result.Series[len(result.Series)-quarter:]
		r.compareSeries(last, first, how, ofP50, ofP99)
	}
	return err
}
