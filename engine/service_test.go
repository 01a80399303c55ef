package engine

import (
	"testing"

	"dynapm/engine/config"
)

// TestHostOfATarget: what a backend with hostHeader: target is told.
func TestHostOfATarget(t *testing.T) {
	r := &route{service: &service{Service: config.Service{HostHeader: "target"}, address: "127.0.0.1:7000"}}
	for _, tc := range []struct {
		base *config.Base
		want string
	}{
		{nil, "127.0.0.1:7000"},
		{&config.Base{Scheme: "http", Host: "app.test", Port: 80}, "app.test:80"},
		{&config.Base{Scheme: "http", Host: "app.test", Port: 443}, "app.test:443"},
		{&config.Base{Scheme: "http", Unix: "/run/app.sock"}, "localhost"},
		{&config.Base{Scheme: "https", Host: "app.test", Port: 443}, "app.test"},
		{&config.Base{Scheme: "https", Host: "::1", Port: 443}, "[::1]"},
		{&config.Base{Scheme: "https", Host: "app.test", Port: 8443}, "app.test:8443"},
	} {
		r.Base = tc.base
		if got := r.hostFor(); got != tc.want {
			t.Errorf("%+v is told as %q, want %q", tc.base, got, tc.want)
		}
	}
}
