package loadtest

import (
	"maps"
	"slices"
	"time"
)

// Schema names the form of report.json. A field that is added leaves it as it is; one that is removed or means
// something else makes it the next number.
const Schema = "dynapm-loadtest/2"

// Report is what a run found. Times are in milliseconds unless the name says otherwise.
type Report struct {
	Schema      string    `json:"schema"`
	Scenario    string    `json:"scenario"`
	Command     string    `json:"command"`
	Began       time.Time `json:"began"`
	Seconds     float64   `json:"seconds"` // that were measured
	Interrupted bool      `json:"interrupted"`
	Machine     Machine   `json:"machine"`
	Settings    Settings  `json:"settings"`
	Generator   Generator `json:"generator"`
	Results     []Result  `json:"results"`               // of -url, and of -compare
	Ratios      []Ratio   `json:"ratios,omitempty"`      // -url by -compare; in a soak, its end by its beginning
	RatioDoubts []string  `json:"ratioDoubts,omitempty"` // why not to take the ratios at their word: errors, a void run, ...
	Notes       []string  `json:"notes,omitempty"`
}

// Machine is what the run was made on.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu,omitempty"`
	Kernel string `json:"kernel"`
	Load   string `json:"load,omitempty"` // the load average when it began
}

// Settings are the flags that shape the run; what a scenario does not know is 0.
type Settings struct {
	Clients  int     `json:"clients"`
	Rate     float64 `json:"rate,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
	Requests int64   `json:"requests,omitempty"`
	Warmup   float64 `json:"warmupSeconds,omitempty"`
}

// Generator is what the load generator itself took. Void: so much that the run says nothing of the server.
type Generator struct {
	CPU   float64 `json:"cpuSeconds"`
	Share float64 `json:"shareOfCore"`
	Void  bool    `json:"void"`
}

// Result is what came of the requests to one target.
type Result struct {
	URL         string           `json:"url"`
	Host        string           `json:"host"`
	BodyChecked bool             `json:"bodyChecked"` // each body was compared with what was answered beforehand
	Requests    int64            `json:"requests"`    // good and bad
	Failed      int64            `json:"failed"`
	Errors      map[string]int64 `json:"errors"`        // by kind
	Rate        float64          `json:"ratePerSecond"` // of good ones
	Latency     Latency          `json:"latency"`
	Curve       []Quantile       `json:"curve"`  // latency by percentile
	Series      []Point          `json:"series"` // over time
	ColdStarts  []Cold           `json:"coldStarts,omitempty"`
	Herds       []Herd           `json:"herds,omitempty"`
	Streams     *Streams         `json:"streams,omitempty"`
}

// Latency sums up the good requests.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Quantile is a point of the latency curve.
type Quantile struct {
	Percentile float64 `json:"percentile"`
	Latency    float64 `json:"latency"`
}

// Point is one step of a series: what ended in it.
type Point struct {
	At       float64 `json:"at"` // seconds since the run began, of its end
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Rate     float64 `json:"ratePerSecond"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Max      float64 `json:"max"`
}

// Ratio compares two series in one quantity, point by point.
type Ratio struct {
	Of      string  `json:"of"`
	Ratio   float64 `json:"ratio"` // the geometric mean over the pairs
	Low     float64 `json:"low"`   // of the 95% confidence interval
	High    float64 `json:"high"`
	Pairs   int     `json:"pairs"`
	LeftOut int     `json:"leftOut"` // pairs in which a side had no good answer
}

// Cold is one cold start: what the client saw, and how the engine divides it.
type Cold struct {
	Total     float64 `json:"total"`
	Known     bool    `json:"known"` // the engine told the rest
	Launch    float64 `json:"launch"`
	Listen    float64 `json:"listen"`
	Ready     float64 `json:"ready"`
	Connect   float64 `json:"connect"`
	FirstByte float64 `json:"firstByte"`
	Around    float64 `json:"around"` // the rest of the total: the network, the gateway before and after, the body
}

// Herd is one sleeping service, woken by many at once.
type Herd struct {
	Clients  int     `json:"clients"`
	Answered int64   `json:"answered"`
	Starts   int     `json:"starts"`
	Last     float64 `json:"last"` // until the last answer
}

// Streams is what became of the streams of hold.
type Streams struct {
	Asked  int `json:"asked"`
	Opened int `json:"opened"`
	Held   int `json:"held"` // to the end
	// Events that were due before the end and had not come by then. Those that came late are in the latency, those that
	// never came are errors.
	Outstanding int64 `json:"outstanding"`
}

// percentiles of the curve, the denser the nearer to 100.
var percentiles = []float64{0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 96, 97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 99.999, 100}

// resultOf sums up what a recorder has.
func resultOf(t *target, r *recorder, elapsed time.Duration) Result {
	out := Result{URL: t.url.String(), Host: t.host, BodyChecked: t.expect != nil, Requests: r.count(), Failed: r.failed, Errors: r.errors, Series: r.points}
	h := r.latency
	if elapsed > 0 {
		out.Rate = float64(h.TotalCount()) / elapsed.Seconds()
	}
	if h.TotalCount() == 0 {
		return out
	}
	at := func(p float64) float64 { return millis(h.ValueAtQuantile(p)) }
	out.Latency = Latency{
		Min: millis(h.Min()), Mean: h.Mean() / float64(time.Millisecond),
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: millis(h.Max()),
	}
	for _, p := range percentiles {
		// Beyond the last request there is nothing to show.
		if p < 100 && (100-p)/100*float64(h.TotalCount()) < 1 {
			continue
		}
		out.Curve = append(out.Curve, Quantile{p, at(p)})
	}
	return out
}

// kinds are the kinds of errors, the most frequent first.
func (r Result) kinds() []string {
	return slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		if d := r.Errors[b] - r.Errors[a]; d != 0 {
			return int(min(max(d, -1), 1))
		}
		if a < b {
			return -1
		}
		return 1
	})
}

// failed tells whether anything went wrong, in any target.
func (r *Report) failed() bool {
	return slices.ContainsFunc(r.Results, func(t Result) bool { return t.Failed > 0 })
}
